import { defineErrors } from '@skerry/base';

export const streamingErrors = defineErrors('STREAMING', {
  FRAME_TOO_LARGE: { text: 'a frame of {size} bytes exceeds {limit}', retry: 'never' },
  PROTOCOL: { text: 'the client broke the streaming protocol: {problem}', retry: 'never' },
  CLOSED: { text: 'the stream is closed', retry: 'never' },
  BROKEN: { text: 'the stream broke: {reason}', retry: 'backoff' },
});
