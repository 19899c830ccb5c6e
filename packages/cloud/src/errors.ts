import { defineErrors } from '@skerry/base';

export const cloudErrors = defineErrors('CLOUD', {
  NOT_A_BACKUP: { text: '{file} is not a whole backup: {problem}', retry: 'never' },
  NEEDS_PASSPHRASE: {
    text: '{file} holds CA and keys under a passphrase; give --passphrase-file FILE',
    retry: 'never',
  },
  NO_PASSPHRASE_FILE: { text: 'the passphrase file {file} cannot be read', retry: 'never' },
  WRONG_PASSPHRASE: { text: 'the passphrase does not open {file}', retry: 'never' },
  ALREADY_RUNNING: {
    text: 'a cloud already runs in {dir} (process {holder}); stop it, or name another directory with --data-dir',
    retry: 'never',
    isWhole: true,
  },
  DAMAGED: {
    text: "{file} is damaged; move {dir} away and bring the last backup back: 'skerry restore FILE --data-dir {dir}'",
    retry: 'never',
    isWhole: true,
  },
  TARGET_IN_USE: {
    text: '{dir} already holds a cloud; restore into an empty --data-dir, or move that one away',
    retry: 'never',
  },
});
