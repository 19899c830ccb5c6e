/** DELETE of a collection: every object the selectors match, each as if it were deleted alone. */
import { isStatus } from '@skerry/api';
import { whenAdmitted } from './admission/pending.ts';
import type { ApiResponse } from './contract.ts';
import { deleteObject, readDeleteOptions } from './delete.ts';
import { type Call, type Engine, groupResource } from './engine.ts';
import { listText, readPage } from './list.ts';
import { parseListQuery } from './list-options.ts';
import { respondText } from './respond.ts';
import { selectionOf } from './selection.ts';
import { methodNotSupported } from './statuses.ts';

/** How many deletes are in flight together; they share group commits. */
const DELETE_BATCH = 1000;

export async function deleteCollection(engine: Engine, call: Call): Promise<ApiResponse> {
  if (!call.kind.row.verbs.includes('deletecollection')) {
    throw methodNotSupported(groupResource(call.kind), 'deletecollection');
  }
  const options = readDeleteOptions(engine, call);
  const page = readPage(engine, selectionOf(call), parseListQuery(call.request.query));
  for (let start = 0; start < page.items.length; start += DELETE_BATCH) {
    await Promise.all(
      page.items.slice(start, start + DELETE_BATCH).map(async ({ key }) => {
        await whenAdmitted(call, async () => {
          const stored = engine.store.get(key);
          if (stored !== undefined) await deleteObject(engine, call, stored, options);
        }).catch(ignoreGone);
      }),
    );
  }
  return respondText(200, listText(call, page), call.wanted);
}

/** Who is gone meanwhile needs no deleting. */
function ignoreGone(error: unknown): void {
  if (!isStatus(error, 'NotFound')) throw error;
}
