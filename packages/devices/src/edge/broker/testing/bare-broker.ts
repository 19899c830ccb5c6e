/** For the bench: aedes as it is. */
export { Aedes } from 'aedes';
