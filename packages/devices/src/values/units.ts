/** Units by UCUM code: whether a text is one, and how to get from one to another. The part of UCUM that industry uses. */

/** What a unit measures, as exponents of m, s, g, K, A, mol, cd, rad and bit. */
type Dimension = readonly number[];

export interface Unit {
  readonly code: string;
  readonly dimension: Dimension;
  /** `base = value * factor + offset`. */
  readonly factor: number;
  readonly offset: number;
}

/** Codes are short; this bounds the parser. */
const MAX_CODE_LENGTH = 64;

const NONE: Dimension = [0, 0, 0, 0, 0, 0, 0, 0, 0];
const [M, S, G, K, A, MOL, CD, RAD, BIT] = NONE.map((_, index) => NONE.map((_zero, at) => (at === index ? 1 : 0)));

interface Atom {
  readonly dimension: Dimension;
  readonly factor: number;
  readonly offset?: number;
  /** Whether `k`, `m`, `u` … may stand before it. */
  readonly isMetric: boolean;
}

type Mechanical = Partial<Record<'m' | 's' | 'g' | 'K' | 'A', number>>;

const dim = (parts: Mechanical): Dimension => [
  parts.m ?? 0,
  parts.s ?? 0,
  parts.g ?? 0,
  parts.K ?? 0,
  parts.A ?? 0,
  0,
  0,
  0,
  0,
];

const metric = (dimension: Dimension | undefined, factor = 1): Atom => ({
  dimension: dimension ?? NONE,
  factor,
  isMetric: true,
});
const plain = (dimension: Dimension | undefined, factor = 1, offset = 0): Atom => ({
  dimension: dimension ?? NONE,
  factor,
  offset,
  isMetric: false,
});

const PRESSURE = dim({ m: -1, g: 1, s: -2 });
const ENERGY = dim({ m: 2, g: 1, s: -2 });
const POWER = dim({ m: 2, g: 1, s: -3 });
const VOLUME = dim({ m: 3 });
/** Of one pound-force per square inch and the like in g/(m.s2). */
const PASCAL = 1000;

const ATOMS: Readonly<Record<string, Atom>> = {
  '1': plain(NONE),
  m: metric(M),
  s: metric(S),
  g: metric(G),
  K: metric(K),
  A: metric(A),
  mol: metric(MOL),
  cd: metric(CD),
  rad: metric(RAD),
  bit: metric(BIT),
  By: metric(BIT, 8),
  Bd: metric(dim({ s: -1 })),
  '%': plain(NONE, 0.01),
  '[ppth]': plain(NONE, 1e-3),
  '[ppm]': plain(NONE, 1e-6),
  '[ppb]': plain(NONE, 1e-9),
  '[pH]': plain(NONE),
  min: plain(S, 60),
  h: plain(S, 3600),
  d: plain(S, 86_400),
  wk: plain(S, 604_800),
  mo: plain(S, 2_629_800),
  a: plain(S, 31_557_600),
  Hz: metric(dim({ s: -1 })),
  N: metric(dim({ m: 1, g: 1, s: -2 }), 1000),
  Pa: metric(PRESSURE, PASCAL),
  bar: metric(PRESSURE, 1e5 * PASCAL),
  atm: plain(PRESSURE, 101_325 * PASCAL),
  '[psi]': plain(PRESSURE, 6894.757293168361 * PASCAL),
  'm[H2O]': metric(PRESSURE, 9806.65 * PASCAL),
  'm[Hg]': metric(PRESSURE, 133_322.387415 * PASCAL),
  J: metric(ENERGY, 1000),
  eV: metric(ENERGY, 1.602176634e-16),
  cal: metric(ENERGY, 4184),
  '[Btu]': plain(ENERGY, 1_055_055.85262),
  W: metric(POWER, 1000),
  '[HP]': plain(POWER, 745_699.87158227),
  VA: metric(POWER, 1000),
  var: metric(POWER, 1000),
  V: metric(dim({ m: 2, g: 1, s: -3, A: -1 }), 1000),
  Ohm: metric(dim({ m: 2, g: 1, s: -3, A: -2 }), 1000),
  S: metric(dim({ m: -2, g: -1, s: 3, A: 2 }), 1e-3),
  C: metric(dim({ s: 1, A: 1 })),
  F: metric(dim({ m: -2, g: -1, s: 4, A: 2 }), 1e-3),
  H: metric(dim({ m: 2, g: 1, s: -2, A: -2 }), 1000),
  Wb: metric(dim({ m: 2, g: 1, s: -2, A: -1 }), 1000),
  T: metric(dim({ g: 1, s: -2, A: -1 }), 1000),
  Cel: { ...metric(K), offset: 273.15 },
  '[degF]': plain(K, 5 / 9, 459.67 * (5 / 9)),
  L: metric(VOLUME, 1e-3),
  l: metric(VOLUME, 1e-3),
  '[gal_us]': plain(VOLUME, 3.785411784e-3),
  ar: metric(dim({ m: 2 }), 100),
  t: metric(G, 1e6),
  '[lb_av]': plain(G, 453.59237),
  '[oz_av]': plain(G, 28.349523125),
  '[lbf_av]': plain(dim({ m: 1, g: 1, s: -2 }), 4448.2216152605),
  gf: metric(dim({ m: 1, g: 1, s: -2 }), 9.80665),
  '[g]': metric(dim({ m: 1, s: -2 }), 9.80665),
  '[in_i]': plain(M, 0.0254),
  '[ft_i]': plain(M, 0.3048),
  '[yd_i]': plain(M, 0.9144),
  '[mi_i]': plain(M, 1609.344),
  '[nmi_i]': plain(M, 1852),
  '[kn_i]': plain(dim({ m: 1, s: -1 }), 1852 / 3600),
  deg: plain(RAD, Math.PI / 180),
  "'": plain(RAD, Math.PI / 10_800),
  "''": plain(RAD, Math.PI / 648_000),
  circ: plain(RAD, 2 * Math.PI),
  sr: metric(NONE),
  lm: metric(CD),
  lx: metric([-2, 0, 0, 0, 0, 0, 1, 0, 0]),
  Bq: metric(dim({ s: -1 })),
  Sv: metric(dim({ m: 2, s: -2 })),
  Gy: metric(dim({ m: 2, s: -2 })),
  St: metric(dim({ m: 2, s: -1 }), 1e-4),
  P: metric(
    PRESSURE.map((exponent, at) => (at === 1 ? -1 : exponent)),
    100,
  ),
  B: metric(NONE),
  'B[SPL]': metric(NONE),
  'B[W]': metric(NONE),
  'B[mW]': metric(NONE),
  'B[V]': metric(NONE),
};

const PREFIXES: Readonly<Record<string, number>> = {
  Y: 1e24,
  Z: 1e21,
  E: 1e18,
  P: 1e15,
  T: 1e12,
  G: 1e9,
  M: 1e6,
  k: 1e3,
  h: 1e2,
  da: 1e1,
  d: 1e-1,
  c: 1e-2,
  m: 1e-3,
  u: 1e-6,
  n: 1e-9,
  p: 1e-12,
  f: 1e-15,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
};

/** The unit, or undefined when the text is no code that we know. `1`, `%`, `kW.h`, `m3/h`, `10*3/uL`, `{count}/min`. */
export function parseUnit(code: string): Unit | undefined {
  if (code === '' || code.length > MAX_CODE_LENGTH) return undefined;
  const terms = withoutAnnotations(code).split(/(?=[./])/);
  let dimension = NONE;
  let factor = 1;
  let offset = 0;
  for (const [index, term] of terms.entries()) {
    const parsed = parseTerm(index === 0 && !/^[./]/.test(term) ? `.${term}` : term);
    if (parsed === undefined) return undefined;
    // A scale with its own zero is a unit only by itself.
    if (parsed.offset !== 0 && (terms.length > 1 || parsed.exponent !== 1)) return undefined;
    ({ offset } = parsed);
    factor *= parsed.factor ** parsed.exponent;
    dimension = dimension.map((exponent, at) => exponent + (parsed.dimension[at] ?? 0) * parsed.exponent);
  }
  return { code, dimension, factor, offset };
}

/** An annotation says nothing to a machine; where it stands alone it counts as one. */
function withoutAnnotations(code: string): string {
  return code.replaceAll(/(^|[./])\{[^{}]*\}/g, '$11').replaceAll(/\{[^{}]*\}/g, '');
}

interface Term extends Omit<Unit, 'code'> {
  readonly exponent: number;
}

function parseTerm(term: string): Term | undefined {
  const [, separator = '', symbol = '', digits = ''] = /^([./])(10\*|10\^|.*?)([+-]?\d{1,2})?$/.exec(term) ?? [];
  if (separator === '') return undefined;
  const exponent = (separator === '/' ? -1 : 1) * (digits === '' ? 1 : Number(digits));
  if (symbol === '10*' || symbol === '10^') return { ...ATOM_TEN, exponent };
  if (symbol === '') return digits === '' ? undefined : number(Number(digits), separator);
  const atom = findAtom(symbol);
  return atom === undefined ? undefined : { ...atom, exponent };
}

function number(factor: number, separator: string): Term {
  return { dimension: NONE, factor, offset: 0, exponent: separator === '/' ? -1 : 1 };
}

const ATOM_TEN = { dimension: NONE, factor: 10, offset: 0 };

function findAtom(symbol: string): Omit<Unit, 'code'> | undefined {
  const known = Object.hasOwn(ATOMS, symbol) ? ATOMS[symbol] : undefined;
  if (known !== undefined) return { offset: 0, ...known };
  for (const length of [2, 1]) {
    const prefix = symbol.slice(0, length);
    const rest = symbol.slice(length);
    const scale = Object.hasOwn(PREFIXES, prefix) ? PREFIXES[prefix] : undefined;
    const atom = Object.hasOwn(ATOMS, rest) ? ATOMS[rest] : undefined;
    if (scale === undefined || atom === undefined || !atom.isMetric) continue;
    return { dimension: atom.dimension, factor: atom.factor * scale, offset: atom.offset ?? 0 };
  }
  return undefined;
}

/** `to = from * factor + offset`; undefined when the two measure different things. */
export function conversion(from: Unit, to: Unit): { readonly factor: number; readonly offset: number } | undefined {
  if (from.dimension.some((exponent, at) => exponent !== to.dimension[at])) return undefined;
  return { factor: from.factor / to.factor, offset: (from.offset - to.offset) / to.factor };
}
