/** What the process that unpacks says when it is done. */
export type UnpackOutcome =
  | { readonly result: 'unpacked' }
  /** The archive is bad; the problem names what in it. */
  | { readonly result: 'refused'; readonly digest: string; readonly problem: string }
  /** The archive may be good; the machine could not do it. */
  | { readonly result: 'failed'; readonly problem: string };
