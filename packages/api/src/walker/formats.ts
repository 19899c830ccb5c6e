/** String formats that a schema may ask for; unknown formats hold for every value, as in Kubernetes. */

const LABEL = '[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?';
const IPV4 = /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/;
const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;
const DURATION = /^[+-]?(0|((\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$/;
const QUANTITY = /^[+-]?(\d+\.?\d*|\.\d+)(([KMGTPE]i)|[numkMGTPE]|[eE][+-]?\d+)?$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const NAME = new RegExp(`^${LABEL}(\\.${LABEL})*\\.?$`);

const CHECKS: Readonly<Record<string, (text: string) => boolean>> = {
  'date-time': isDateTime,
  datetime: isDateTime,
  'micro-time': isDateTime,
  date: (text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && isDateTime(`${text}T00:00:00Z`),
  duration: (text) => DURATION.test(text),
  quantity: (text) => QUANTITY.test(text),
  byte: isBase64,
  ipv4: (text) => IPV4.test(text),
  ipv6: isIpv6,
  ip: (text) => IPV4.test(text) || isIpv6(text),
  cidr: isCidr,
  mac: (text) => /^([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}$/.test(text),
  uuid: (text) => UUID.test(text),
  uuid3: (text) => UUID.test(text),
  uuid4: (text) => UUID.test(text),
  uuid5: (text) => UUID.test(text),
  email: (text) => text.length <= 320 && /^[^\s@<>(),;:"[\]\\]+@[^\s@]+$/.test(text),
  hostname: (text) => text.length <= 253 && NAME.test(text),
  uri: isUri,
  'k8s-short-name': (text) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text),
  'k8s-long-name': (text) =>
    text.length <= 253 && text === text.toLowerCase() && NAME.test(text) && !text.endsWith('.'),
};

export function hasFormat(text: string, format: string): boolean {
  return Object.hasOwn(CHECKS, format) ? (CHECKS[format]?.(text) ?? true) : true;
}

/** Standard base64 with padding; line breaks are skipped, as Go's decoder does. */
export function isBase64(text: string): boolean {
  return BASE64.test(text.includes('\n') ? text.replace(/[\r\n]/g, '') : text);
}

/** RFC 3339, with a day that the month has. */
function isDateTime(text: string): boolean {
  const match = RFC_3339.exec(text);
  if (match === null) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 60) return false;
  return day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

function isIpv6(text: string): boolean {
  if (!text.includes(':') || text.length > 45 || /[^0-9a-fA-F:.]/.test(text)) return false;
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1) ?? '';
  const isMapped = IPV4.test(last);
  const plain = isMapped ? groups.slice(0, -1) : groups;
  if (!plain.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  const length = plain.length + (isMapped ? 2 : 0);
  return halves.length === 2 ? length < 8 : length === 8;
}

function isCidr(text: string): boolean {
  const [address = '', prefix = '', rest] = text.split('/');
  if (rest !== undefined || !/^\d{1,3}$/.test(prefix)) return false;
  if (IPV4.test(address)) return Number(prefix) <= 32;
  return isIpv6(address) && Number(prefix) <= 128;
}

function isUri(text: string): boolean {
  return text.startsWith('/') || URL.canParse(text);
}
