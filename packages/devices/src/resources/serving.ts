/** What everything at a node that others connect to has in common: where it listens, who it is, who may come. */
import { choice, integer, list, nameOf, type Schema, secretKey, text } from '@skerry/api/definitions';

export interface SecretKey {
  readonly name: string;
  readonly key: string;
}

/** Fields of an object. */
export const listening = (port: number): Schema => ({
  address: text('IP address; only this machine by default.', { default: '127.0.0.1', maxLength: 64 }),
  port: integer('TCP port.', { minimum: 0, maximum: 65_535, default: port }),
});

export const hostnames: Schema = list(
  'Names and addresses that clients reach it by; they go into its certificate.',
  text('One name.', { maxLength: 253 }),
  64,
);

export const certificateSecretName: Schema = nameOf(
  'Secret with tls.crt and tls.key; from the site’s identity without it.',
);

/** Fields of a user. */
export const login: Schema = {
  name: text('User name; where users come with certificates, the CN.', { maxLength: 253, minLength: 1 }),
  password: secretKey('Where the password is, as it is or as mosquitto_passwd writes it: $7$….'),
};

export const servingState: Schema = choice('What it does.', ['Pending', 'Serving', 'Failed']);
