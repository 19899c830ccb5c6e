/** GPUs and NPUs as sysfs shows them on the PCI bus: extended resources to schedule by, labels to select by. Reads under `root` only. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Accelerators {
  /** `nvidia.com/gpu`: how many. */
  readonly resources: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

interface Vendor {
  readonly name: string;
  readonly gpu?: string;
  readonly npu?: string;
}

/** PCI vendor ids, and under which names their devices are known to schedulers. */
const VENDORS: Readonly<Record<string, Vendor>> = {
  '0x10de': { name: 'nvidia', gpu: 'nvidia.com/gpu' },
  '0x1002': { name: 'amd', gpu: 'amd.com/gpu', npu: 'amd.com/npu' },
  '0x1022': { name: 'amd', npu: 'amd.com/npu' },
  '0x8086': { name: 'intel', gpu: 'gpu.intel.com/i915', npu: 'npu.intel.com/accel' },
  '0x19e5': { name: 'huawei', npu: 'huawei.com/Ascend' },
  '0x1e60': { name: 'hailo', npu: 'hailo.ai/npu' },
  '0x1ac1': { name: 'google', npu: 'google.com/tpu' },
  '0x1da3': { name: 'habana', npu: 'habana.ai/gaudi' },
  '0xcabc': { name: 'cambricon', npu: 'cambricon.com/mlu' },
  '0x1d1d': { name: 'rockchip', npu: 'rockchip.com/npu' },
};

const PCI_DEVICES = 'sys/bus/pci/devices';
/** Display controllers other than plain VGA, and VGA itself. */
const DISPLAY_CLASS = 0x03;
const PROCESSING_ACCELERATOR_CLASS = 0x12;
const CO_PROCESSOR_CLASS = 0x0b;
const SYSTEM_CLASS = 0x08;
/** Vendors whose neural processors call themselves something else on the bus. */
const NPU_BY_VENDOR: readonly string[] = ['0x1e60', '0x1ac1', '0x19e5', '0xcabc'];
const SYSTEM_PERIPHERAL_NPUS: readonly number[] = [SYSTEM_CLASS, CO_PROCESSOR_CLASS];

export function findAccelerators(root = '/'): Accelerators {
  const counts = new Map<string, number>();
  const labels: Record<string, string> = {};
  for (const device of pciDevices(root)) {
    const found = classify(device);
    if (found === undefined) continue;
    counts.set(found.resource, (counts.get(found.resource) ?? 0) + 1);
    labels[`hardware.skerry.io/${found.kind}`] = 'true';
    labels[`hardware.skerry.io/${found.kind}-vendor`] = found.vendor;
    labels[`hardware.skerry.io/${found.kind}-device`] = device.device.replace(/^0x/, '');
  }
  const resources = Object.fromEntries(Array.from(counts, ([name, count]) => [name, String(count)]));
  return { resources, labels };
}

interface PciDevice {
  readonly vendor: string;
  readonly device: string;
  /** The upper byte of the class. */
  readonly baseClass: number;
}

function classify({
  vendor,
  baseClass,
}: PciDevice): { kind: 'gpu' | 'npu'; resource: string; vendor: string } | undefined {
  const known = VENDORS[vendor];
  if (known === undefined) return undefined;
  if (baseClass === DISPLAY_CLASS && known.gpu !== undefined)
    return { kind: 'gpu', resource: known.gpu, vendor: known.name };
  const isNpu =
    baseClass === PROCESSING_ACCELERATOR_CLASS ||
    (NPU_BY_VENDOR.includes(vendor) && SYSTEM_PERIPHERAL_NPUS.includes(baseClass));
  return isNpu && known.npu !== undefined ? { kind: 'npu', resource: known.npu, vendor: known.name } : undefined;
}

function pciDevices(root: string): PciDevice[] {
  const directory = join(root, PCI_DEVICES);
  return namesIn(directory).flatMap((name) => {
    const read = (file: string) => readLine(join(directory, name, file));
    const [vendor, device, pciClass] = [read('vendor'), read('device'), read('class')];
    if (vendor === undefined || device === undefined || pciClass === undefined) return [];
    return [{ vendor, device, baseClass: Number(pciClass) >> 16 }];
  });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

function readLine(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}
