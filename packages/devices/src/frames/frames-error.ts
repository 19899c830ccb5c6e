/** What is wrong with a description, or with what is to be sent by it. Its message completes no sentence: it is one, and names the part. */
export class FramesError extends Error {
  override readonly name = 'FramesError';
}
