import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cel, type Outcome } from './cel.ts';

const cel = new Cel();
const scope = cel.scope({
  variables: { me: 'Me', any: 'dyn' },
  types: {
    Part: { name: 'string' },
    Me: { n: 'int', text: 'string', list: 'list<string>', parts: 'list<Part>', map: 'map<string, int>' },
  },
});
const me = {
  n: 3n,
  text: 'a1b22',
  list: ['b', 'a'],
  parts: [{ name: 'x' }],
  map: { k: 1n },
};

function outcome(expression: string): Outcome | string {
  const compiled = scope.compile(expression, ['any']);
  return compiled.type === 'error' ? compiled.message : compiled.program.evaluate({ me, any: me });
}

/** Expressions that are all true. */
function holds(...expressions: readonly string[]): void {
  for (const expression of expressions) {
    const found = outcome(expression);
    assert.deepEqual(
      typeof found === 'string' ? found : { ...found, cost: 0 },
      { type: 'value', value: true, cost: 0 },
      expression,
    );
  }
}

function refuses(expression: string, message: RegExp): void {
  const found = outcome(expression);
  assert.match(
    typeof found === 'string'
      ? found
      : `evaluated: ${JSON.stringify(found, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))}`,
    message,
    expression,
  );
}

function fails(expression: string, message: RegExp): void {
  const found = outcome(expression);
  assert.match(
    typeof found === 'string' ? `compile: ${found}` : found.type === 'error' ? found.message : 'a value',
    message,
    expression,
  );
}

test('fields, operators and macros of the language', () =>
  holds(
    'me.n == 3 && me.n + 1 > 3 && me.n < 3.5',
    'me.list.all(x, x.size() == 1) && me.parts.exists(p, p.name == "x")',
    'has(me.text) && !has(any.nope)',
    '"k" in me.map && me.map["k"] == 1',
    'me.list.join("-") == "b-a" && ["a", "b"].join() == "ab" && me.list.map(x, x + "!") == ["b!", "a!"]',
    'cel.bind(x, me.n * 2, x * x) == 36',
    'duration("1h") > duration("2m") && timestamp("2020-01-01T00:00:00Z").getFullYear() == 2020',
    'any.?nope.orValue(7) == 7 && any.?n.hasValue() && optional.none().orValue(1) == 1',
    'optional.of(2).optMap(x, x * 2).value() == 4 && !optional.ofNonZeroValue("").hasValue()',
    'type(me.n) == int && dyn(1) == 1.0',
  ));

test('two variables', () =>
  holds(
    'me.list.all(i, x, i < 2 && x != "")',
    'me.map.exists(k, v, k == "k" && v == 1)',
    '[1, 2, 2].existsOne(i, v, v == 1)',
    '[0, 1].exists(i, v, 1 / v == 1) && !dyn([0, 1]).all(i, v, 1 / v == 2)',
    'me.list.transformList(i, x, x + string(i)) == ["b0", "a1"]',
    'me.list.transformList(i, x, i > 0, x) == ["a"]',
    'me.map.transformMap(k, v, v + 1)["k"] == 2',
  ));

test('lists and sets', () =>
  holds(
    '[1, 2, 3].isSorted() && !me.list.isSorted() && [].isSorted()',
    '[1, 2, 3].sum() == 6 && [1.5, 1.5].sum() == 3.0 && [duration("1s"), duration("2s")].sum() == duration("3s")',
    '[3, 1].min() == 1 && ["a", "b"].max() == "b"',
    '[1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2 && [1].indexOf(9) == -1',
    'sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && !sets.intersects([1], [2])',
  ));

test('strings and regular expressions', () =>
  holds(
    'me.text.find("[0-9]+") == "1" && me.text.findAll("[0-9]+") == ["1", "22"] && me.text.findAll("[0-9]+", 1) == ["1"]',
    'me.text.matches("^a[0-9]") && !me.text.matches("^b") && "" == "x".find("y")',
    '"😀b".indexOf("b") == 1 && "😀b".substring(1) == "b" && "😀b".charAt(0) == "😀" && "abcb".lastIndexOf("b") == 3',
    '"aXbX".replace("X", "-") == "a-b-" && "aXbX".replace("X", "-", 1) == "a-bX" && "abc".reverse() == "cba"',
    '"%s is %d, %.2f, %x, %b of %s".format(["a", 7, 1.5, 255, 5, [1, "x"]]) == "a is 7, 1.50, ff, 101 of [1, x]"',
    '"a,b".split(",").join("-") == "a-b" && " x ".trim() == "x" && "aB".lowerAscii() == "ab"',
  ));

test('what Kubernetes adds: addresses, URLs, quantities, versions, formats', () =>
  holds(
    'isIP("1.2.3.4") && !isIP("::ffff:1.2.3.4") && !isIP("1.2.3") && ip("::1").isLoopback() && ip("fe80::1").family() == 6',
    'ip("10.0.0.1").isGlobalUnicast() && ip.isCanonical("::1") && !ip.isCanonical("0:0::1") && string(ip("2001:db8:0:0:1::")) == "2001:db8:0:0:1::"',
    'cidr("10.0.0.0/8").containsIP("10.1.2.3") && cidr("10.0.0.0/8").containsCIDR(cidr("10.1.0.0/16")) && string(cidr("10.1.2.3/8").masked()) == "10.0.0.0/8"',
    'cidr("::/0").prefixLength() == 0 && !isCIDR("10.0.0.0/33") && ip("1.1.1.1") != ip("1.1.1.2")',
    'url("https://u@example.com:80/a%20b?x=1&x=2").getHost() == "example.com:80" && url("https://h:80/a?x=1&x=2").getQuery() == {"x": ["1", "2"]}',
    'url("https://[::1]:8/").getHostname() == "::1" && url("/a/b").getEscapedPath() == "/a/b" && url("/a").getHost() == "" && !isURL("a/b")',
    'url("https://h:80").getPort() == "80" && url("https://h").getEscapedPath() == "" && url("https://h/").getEscapedPath() == "/"',
    'quantity("1Gi").isGreaterThan(quantity("1G")) && quantity("1500m").asApproximateFloat() == 1.5 && !isQuantity("1x")',
    'quantity("50k").add("20k" == "" ? quantity("1") : quantity("20k")) == quantity("70k") && quantity("5").sub(2).asInteger() == 3 && quantity("-1").sign() == -1',
    'semver("1.2.3").isLessThan(semver("1.10.0")) && semver("1.0.0-rc.1").compareTo(semver("1.0.0")) == -1 && isSemver("v1.2", true) && !isSemver("v1.2")',
    '!format.dns1123Label().validate("ab-c").hasValue() && format.dns1123Label().validate("A").value().size() == 1',
    'format.named("uuid").hasValue() && !format.named("nope").hasValue() && format.named("uri").value().validate("::").hasValue()',
  ));

test('what does not compile is said with its place', () => {
  refuses('me.nope', /^ERROR: <input>:1:3: undefined field 'nope'\n \| me\.nope\n \| \.\.\^$/);
  refuses('nope > 1', /undeclared reference to 'nope' \(in container ''\)/);
  refuses('me.n + "a"', /found no matching overload for '_\+_' applied to '\(int, string\)'/);
  refuses('me.text.find(1)', /found no matching overload for 'find' applied to 'string\.\(int\)'/);
  refuses("true ? 'a' : 1", /found no matching overload for '_\?_:_' applied to '\(bool, string, int\)'/);
  refuses('me.n +', /^ERROR: <input>:1:7: Syntax error: /);
  refuses('\n me.n +\n nope', /^ERROR: <input>:3:2: undeclared/);
  refuses(`${'('.repeat(300)}1${')'.repeat(300)}`, /Syntax error/);
  refuses('a'.repeat(100_001), /exceeds 100000 characters/);
});

test('what must come to true or false, must', () => {
  const found = scope.compile('me.n', ['bool']);
  assert.deepEqual(found, { type: 'error', message: 'must evaluate to bool' });
  assert.equal(scope.compile('any.n', ['bool']).type, 'program');
});

test('what fails at work is said in the words of CEL', () => {
  fails('any.nope', /^no such key: nope$/);
  fails('me.list[5]', /^index out of bounds: 5$/);
  fails('1 / (me.n - 3)', /^division by zero$/);
  fails('me.n * 9223372036854775807', /^integer overflow$/);
  fails('any.n + any.text == 1', /^no such overload$/);
  fails('"a".matches("(")', /^error parsing regexp/);
  fails('[0, 1].all(i, v, 1 / v == 1)', /^division by zero$/);
  fails('[1].all(i, v, dyn(v))', /^no such overload$/);
  fails('[1].join("")', /found no matching overload/);
  fails('dyn([1, 2]).join("-") == ""', /^no such overload$/);
  fails('[].min()', /^min called on empty list$/);
});

test('no expression costs more than it may, whatever it is made of', () => {
  const list = `[${Array.from({ length: 100 }, (_, index) => index).join(',')}]`;
  const nested = (depth: number): string => (depth === 0 ? 'true' : `${list}.all(x${depth}, ${nested(depth - 1)})`);
  const doubled = Array.from({ length: 40 }, (_, index) => `cel.bind(x${index + 1}, x${index} + x${index}, `).join('');
  const whole = `cel.bind(x0, "0123456789", ${doubled}x40.size()${')'.repeat(41)}`;
  for (const expression of [nested(4), whole, `${list}.exists(a, ${nested(3)} && false) || ${nested(4)}`])
    fails(expression, /^operation cancelled: actual cost limit exceeded$/);
  const long = `"${'a'.repeat(20_000)}"`;
  fails(`${long}.replace("a", ${long}).size() > 0`, /cost limit exceeded/);
  fails(`${long}.split("").join(${long}).size() > 0`, /cost limit exceeded/);
  fails(
    `${list}.all(a, ${list}.all(b, timestamp("2020-01-01T00:00:00Z").getHours("Europe/Berlin") > 0))`,
    /cost limit exceeded/,
  );
  fails(`"${'a'.repeat(50_000)}".findAll("a.*b|a")`, /cost limit exceeded/);
  fails(`${list}.all(x, "${'a'.repeat(2000)}".matches("(a+)+${'b?'.repeat(100)}$"))`, /cost limit exceeded/);
});
