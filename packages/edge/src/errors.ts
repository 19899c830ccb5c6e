import { defineErrors } from '@skerry/base';

export const edgeErrors = defineErrors('EDGE', {
  WHICH_NODE: { text: '{dir} holds several nodes ({names}); name one with --node', retry: 'never' },
  ALREADY_RUNNING: {
    text: 'an agent of {node} already runs in {dir} (process {holder}); stop it, or name another directory with --data-dir',
    retry: 'never',
    isWhole: true,
  },
  IDENTITY_DAMAGED: {
    text: "{file} is damaged; join this node anew with a token of 'skerry token create', or bring the file back",
    retry: 'never',
    isWhole: true,
  },
  NOT_JOINED: {
    text: "no node has joined from {dir} yet; make a token with 'skerry token create --node NAME' and give it with --token",
    retry: 'never',
  },
});
