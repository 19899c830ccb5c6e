/** Archives as nobody honest would write them: whatever a test puts into a header is written into it. */

export interface RawEntry {
  readonly name: string;
  /** `0` file (default), `1` hard link, `2` symbolic link, `3` character device, `5` directory, `6` FIFO … */
  readonly type?: string;
  readonly content?: string | Buffer;
  readonly target?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** What the header says of the length, when that is a lie. */
  readonly size?: number;
}

const BLOCK = 512;

export function tarOf(entries: readonly RawEntry[]): Buffer {
  return Buffer.concat([...entries.map(entryBytes), Buffer.alloc(2 * BLOCK)]);
}

function entryBytes(entry: RawEntry): Buffer {
  const content = Buffer.from(entry.content ?? '');
  const isLong = Buffer.byteLength(entry.name) > 100 || /[^\x20-\x7e]/.test(entry.name + (entry.target ?? ''));
  const extended = isLong ? [extendedHeader(entry)] : [];
  return Buffer.concat([...extended, header(entry, entry.size ?? content.length), padded(content)]);
}

function extendedHeader({ name, target }: RawEntry): Buffer {
  const text = [`path=${name}`, ...(target === undefined ? [] : [`linkpath=${target}`])].map(recordOf).join('');
  const content = Buffer.from(text);
  return Buffer.concat([header({ name: 'x', type: 'x' }, content.length), padded(content)]);
}

/** Begins with its own length, which counts itself. */
function recordOf(text: string): string {
  const rest = Buffer.byteLength(text) + 2;
  const length = rest + String(rest + String(rest).length).length;
  return `${length} ${text}\n`;
}

function header(entry: RawEntry, size: number): Buffer {
  const { name, type = '0', target = '', mode = 0o644, uid = 0, gid = 0 } = entry;
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 100);
  const octal = (value: number, at: number, width: number) => {
    const digits = value.toString(8).padStart(width - 1, '0');
    if (digits.length < width) block.write(`${digits}\0`, at, width);
    else block.writeUIntBE(value, block.writeUInt8(0x80, at) + width - 7, 6);
  };
  octal(mode, 100, 8);
  octal(uid, 108, 8);
  octal(gid, 116, 8);
  octal(size, 124, 12);
  octal(1_700_000_000, 136, 12);
  block.write(type, 156, 1);
  block.write(target, 157, 100);
  block.write('ustar\x0000', 257, 8);
  block.fill(' ', 148, 156);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]);
}
