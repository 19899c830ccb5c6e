/** The kinds of `streams.skerry.io` by name. */
import type { Gvr } from '@skerry/api';

export const STREAMS_GROUP = 'streams.skerry.io';
export const STREAMS_API_VERSION = `${STREAMS_GROUP}/v1alpha1`;

const resource = (name: string): Gvr => ({ group: STREAMS_GROUP, version: 'v1alpha1', resource: name });

export const STREAMS: Gvr = resource('streams');
export const TABLES: Gvr = resource('tables');
export const RULES: Gvr = resource('rules');
export const OUTLETS: Gvr = resource('outlets');
export const RETENTIONS: Gvr = resource('retentions');
export const ROUTES: Gvr = resource('routes');
