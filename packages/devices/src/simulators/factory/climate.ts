/** Sensors of a hall that publish by MQTT what they measure, as soon as there is a broker. */
import { connectAsync, type MqttClient } from 'mqtt';

const INTERVAL_MS = 1000;
/** A broker that has only just begun, or begins anew, may take a connection and never answer it. */
const CONNECT_MS = 3000;
const PERIOD_MS = 60_000;
const OPTIONS = { reconnectPeriod: INTERVAL_MS, connectTimeout: CONNECT_MS };
const TOPIC = 'hall/hall-1/climate';

export function publishClimate(brokerPort: number): AsyncDisposable {
  let client: MqttClient | undefined;
  let isConnecting = false;
  const publish = async () => {
    if (isConnecting) return;
    isConnecting = true;
    try {
      client ??= await connectAsync(`mqtt://127.0.0.1:${brokerPort}`, OPTIONS, false);
      if (client.connected) await client.publishAsync(TOPIC, JSON.stringify(measured()));
    } catch {
      // The broker is on its way, or away: the next turn tries again.
    } finally {
      isConnecting = false;
    }
  };
  const timer = setInterval(() => void publish(), INTERVAL_MS);
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await client?.endAsync(true);
    },
  };
}

function measured(): object {
  const swing = Math.sin((Date.now() / PERIOD_MS) * 2 * Math.PI);
  return { temperature: 21 + 2 * swing, humidity: 45 - 5 * swing, at: Date.now() };
}
