/** What can go wrong with images. The sentences reach people in events, so each says all that is known. */
import { defineErrors } from '@skerry/base';

export const imageErrors = defineErrors('IMAGE', {
  INVALID_REFERENCE: { text: 'image name "{name}" is not valid: {problem}', retry: 'never' },
  NOT_FOUND: { text: '{what} is not in {where}', retry: 'never' },
  UNAUTHORIZED: { text: '{where} refuses {what}: {problem}', retry: 'never' },
  UNREACHABLE: { text: '{where} is not reached: {problem}', retry: 'backoff' },
  UNAVAILABLE: { text: '{where} cannot give {what} now: {problem}', retry: 'backoff' },
  BAD_ANSWER: { text: '{where} gave no usable answer for {what}: {problem}', retry: 'never' },
  TOO_LARGE: { text: '{what} exceeds {limit} bytes', retry: 'never' },
  DIGEST_MISMATCH: { text: 'content is not what it claims to be: {expected} hashes to {actual}', retry: 'never' },
  SIZE_MISMATCH: { text: 'content of {digest} has {actual} bytes, not {expected}', retry: 'never' },
  INVALID_MANIFEST: { text: '{what} is not valid: {problem}', retry: 'never' },
  NO_PLATFORM: { text: '{image} is not made for {platform}, only for {offered}', retry: 'never' },
  LAYER_REFUSED: { text: 'layer {digest} of the image is refused: {problem}', retry: 'never' },
  UNPACK_FAILED: { text: 'image cannot be unpacked: {problem}', retry: 'backoff' },
  INVALID_ARCHIVE: { text: '{file} holds no images: {problem}', retry: 'never' },
  BUSY: { text: '{key} is being written by somebody else', retry: 'backoff' },
});
