/** A serial cable: two pseudo-terminals, and what goes in at one comes out at the other. Needs socat. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface SerialCable extends AsyncDisposable {
  /** Paths of the two ends. */
  readonly ends: readonly [string, string];
}

const NAME = /PTY is (\S+)/g;

export async function serialCable(): Promise<SerialCable> {
  const socat = spawn('socat', ['-d', '-d', 'pty,rawer', 'pty,rawer'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(socat, 'exit');
  const ends = await new Promise<readonly [string, string]>((resolve, reject) => {
    let said = '';
    socat.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const [one, other] = [...said.matchAll(NAME)].map(([, name = '']) => name);
      // The last line is whole once the next one has begun.
      if (one !== undefined && other !== undefined && /starting data transfer/.test(said)) resolve([one, other]);
    });
    socat.once('error', reject);
    socat.once('exit', () => reject(new Error(`socat ended: ${said}`)));
  });
  return {
    ends,
    [Symbol.asyncDispose]: async () => {
      socat.kill();
      await exited;
    },
  };
}
