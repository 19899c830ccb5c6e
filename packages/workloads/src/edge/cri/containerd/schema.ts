/**
 * What we use of containerd's own services, beside the Container Runtime Interface on the same socket: fields by their numbers on the
 * wire. The same in containerd 1.6, 1.7 and 2.x. The rest is passed over.
 */
import { bytes, flag, map, message, text, texts, whole } from '../message.ts';

export const WriteAction = { stat: 0, write: 1, commit: 2 } as const;

const contentInfo = { digest: text(1), size: whole(2), labels: map(5) };
const descriptor = { mediaType: text(1), digest: text(2), size: whole(3) };
const image = { name: text(1), labels: map(2), target: message(3, descriptor) };
const mask = { paths: texts(1) };

/** Each method: its path, what goes in, what comes out. */
export const METHODS = {
  InfoContent: ['containerd.services.content.v1.Content/Info', { digest: text(1) }, { info: message(1, contentInfo) }],
  UpdateContent: [
    'containerd.services.content.v1.Content/Update',
    { info: message(1, contentInfo), mask: message(2, mask) },
    {},
  ],
  AbortContent: ['containerd.services.content.v1.Content/Abort', { ref: text(1) }, {}],
  GetImage: ['containerd.services.images.v1.Images/Get', { name: text(1) }, { image: message(1, image) }],
  CreateImage: ['containerd.services.images.v1.Images/Create', { image: message(1, image) }, {}],
  UpdateImage: [
    'containerd.services.images.v1.Images/Update',
    { image: message(1, image), mask: message(2, mask) },
    {},
  ],
  CreateLease: ['containerd.services.leases.v1.Leases/Create', { id: text(1), labels: map(3) }, {}],
  HoldResource: [
    'containerd.services.leases.v1.Leases/AddResource',
    { id: text(1), resource: message(2, { id: text(1), type: text(2) }) },
    {},
  ],
  DeleteLease: ['containerd.services.leases.v1.Leases/Delete', { id: text(1), sync: flag(2) }, {}],
} as const;

export const READ_PATH = '/containerd.services.content.v1.Content/Read';
export const ReadRequest = { digest: text(1), offset: whole(2), size: whole(3) };
export const ReadAnswer = { offset: whole(1), data: bytes(2) };

export const WRITE_PATH = '/containerd.services.content.v1.Content/Write';
export const WriteRequest = {
  action: whole(1),
  ref: text(2),
  total: whole(3),
  expected: text(4),
  offset: whole(5),
  data: bytes(6),
};
export const WriteAnswer = { action: whole(1), offset: whole(4), total: whole(5), digest: text(6) };
