/** Zones of instants on disk. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import { ownZone, withZone, zoneOf } from '../sql/time/zone.ts';
import { giveBack, type SavedZones, zonesIn } from './saved-zones.ts';

test('instants in rows have their zones again, however deep they are, and those without one have none', () => {
  const at = () => withZone(new Date(1000), zoneOf('Asia/Tokyo'));
  const state = { rows: new Map([['k', [{ t: at(), nested: { t: at() }, plain: new Date(1000) }]]]) };
  const saved = deserialize(serialize({ state, zones: zonesIn(state) })) as { state: typeof state; zones: SavedZones };
  giveBack(saved.zones);
  const [row] = saved.state.rows.get('k') ?? [];
  const names = [row?.t, row?.nested.t, row?.plain].map((date) => date && ownZone(date)?.name);
  assert.deepEqual(names, ['Asia/Tokyo', 'Asia/Tokyo', undefined]);
});
