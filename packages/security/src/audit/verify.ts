/** Walks an audit log and names the first place where it is not what was written. */
import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { readOptionalFile } from '../pki/private-file.ts';
import { type ChainHead, type ChainPoint, type HeadSigner, pointAfter, readHead, readPoint } from './chain.ts';
import type { ChainFile } from './disk-chain.ts';
import { headFile, type LogFile, listLogFiles } from './files.ts';

export type AuditVerdict = WholeLog | AlteredLog;

export interface WholeLog {
  readonly ok: true;
  readonly lines: number;
  /** Lines after the signed head: written in the last moments before a crash. */
  readonly unanchored: number;
  readonly end: ChainPoint;
  /** A last line that a crash cut short, and how much of its file is good. */
  readonly torn?: { readonly path: string; readonly bytes: number };
}

export interface AlteredLog {
  readonly ok: false;
  readonly file: string;
  /** Counts from 1 within the file; for lines that are missing, the place where they should be. */
  readonly line: number;
  readonly problem: AuditProblem;
}

export type AuditProblem =
  | 'head missing'
  | 'head not signed'
  | 'edited'
  | 'missing lines'
  | 'out of order'
  | 'cut off at the end'
  | 'cut off at the start';

export async function verifyAuditLog(directory: string, signer: Pick<HeadSigner, 'verify'>): Promise<AuditVerdict> {
  const text = readOptionalFile(headFile(directory));
  if (text === undefined) return altered('head.json', 1, 'head missing');
  const head = readHead(text, signer);
  if (!head) return altered('head.json', 1, 'head not signed');
  const files = coveredFiles(directory, head);
  const [oldest] = files;
  if (head.first.seq === head.next.seq && !oldest) return { ok: true, lines: 0, unanchored: 0, end: head.next };
  if (oldest?.firstSeq !== head.first.seq) return altered(oldest?.name ?? 'head.json', 1, 'cut off at the start');
  return walk(files, head);
}

/** The files that the head covers, with the place where the chain enters each. */
export async function chainFiles(directory: string, head: ChainHead): Promise<ChainFile[]> {
  const files: ChainFile[] = [];
  for (const file of coveredFiles(directory, head)) {
    for await (const line of linesOf(file)) {
      const start = readPoint(line);
      if (start) files.push({ ...file, start });
      break;
    }
  }
  return files;
}

/** Older files linger when a crash came between moving the head and removing them. */
function coveredFiles(directory: string, head: ChainHead): LogFile[] {
  const files = existsSync(directory) ? listLogFiles(directory) : [];
  return files.filter(({ firstSeq }) => firstSeq >= head.first.seq);
}

async function walk(files: readonly LogFile[], head: ChainHead): Promise<AuditVerdict> {
  let point = head.first;
  let previous = { file: files[0]?.name ?? '', line: 0 };
  const whole = (): WholeLog => ({
    ok: true,
    lines: point.seq - head.first.seq,
    unanchored: point.seq - head.next.seq,
    end: point,
  });
  for (const file of files) {
    let number = 0;
    let bytes = 0;
    for await (const line of linesOf(file)) {
      const found = readPoint(line);
      const place = { file: file.name, line: ++number };
      // Only what no head has covered yet can be torn by a crash.
      if (!found && point.seq >= head.next.seq) return { ...whole(), torn: { path: file.path, bytes } };
      if (!found) return altered(place.file, place.line, 'edited');
      const problem = problemAt(point, found);
      if (problem === 'edited') return altered(previous.file, previous.line, problem);
      if (problem) return altered(place.file, place.line, problem);
      point = pointAfter(point, line);
      if (point.seq === head.next.seq && point.prev !== head.next.prev)
        return altered(place.file, place.line, 'edited');
      bytes += Buffer.byteLength(line) + 1;
      previous = place;
    }
  }
  return point.seq < head.next.seq ? altered(previous.file, previous.line + 1, 'cut off at the end') : whole();
}

/** A line that is where it belongs but names another predecessor says that the one before it was changed. */
function problemAt(expected: ChainPoint, found: ChainPoint): AuditProblem | undefined {
  if (found.seq > expected.seq) return 'missing lines';
  if (found.seq < expected.seq) return 'out of order';
  return found.prev === expected.prev ? undefined : 'edited';
}

function linesOf(file: LogFile): AsyncIterable<string> {
  return createInterface({ input: createReadStream(file.path, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY });
}

function altered(file: string, line: number, problem: AuditProblem): AlteredLog {
  return { ok: false, file, line, problem };
}
