import { defineErrors } from '@skerry/base';

export const edgeErrors = defineErrors('EDGE', {
  WHICH_NODE: { text: '{dir} holds several nodes ({names}); name one with --node', retry: 'never' },
  NOT_JOINED: {
    text: "no node has joined from {dir} yet; make a token with 'skerry token create --node NAME' and give it with --token",
    retry: 'never',
  },
});
