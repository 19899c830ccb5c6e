import assert from 'node:assert/strict';
import { test } from 'node:test';
import { opcuaProtocol } from './opcua.ts';
import { withDefaults } from './protocol.ts';

/** Where the connection is refused. */
function check(connection: object, expected: readonly string[]): void {
  const spec = {
    model: { name: 'm' },
    protocol: 'opcua',
    connection: { endpoint: 'opc.tcp://press:4840', ...connection },
  };
  assert.deepEqual(
    opcuaProtocol.check?.(spec).map(({ path }) => path),
    expected,
  );
}

const PASSWORD = { identity: 'Password', securityMode: 'None' };
const MODE = 'spec.connection.options.securityMode';

test('connections without a word are signed and encrypted', () => {
  const { securityMode, securityPolicy, identity } = withDefaults({}, opcuaProtocol.options);
  assert.deepEqual([securityMode, securityPolicy, identity], ['SignAndEncrypt', 'Basic256Sha256', 'Anonymous']);
});

test('a password goes over an open connection only where that is asked for', () => {
  check({ secretName: 'login', options: PASSWORD }, [MODE]);
  check({ secretName: 'login', options: { ...PASSWORD, unprotectedPassword: true } }, []);
  check({ secretName: 'login', options: { ...PASSWORD, securityMode: 'Sign' } }, []);
});

test('who the user is stands in a Secret, and the endpoint says that it is OPC UA', () => {
  check({ options: { identity: 'Certificate' } }, ['spec.connection.secretName']);
  check({ endpoint: 'http://press', options: {} }, ['spec.connection.endpoint']);
});
