export { checkStreamsWrite, type StreamsLookups, type StreamsWrite } from './admission.ts';
