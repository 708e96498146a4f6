import type { LoadedConfig } from './config/index.ts'
import { readSwitches } from './data-dir/index.ts'

/** Whether the switch opened the local network, and nothing else says whether it is open. */
export async function isOpenBySwitch({ config, provenance }: LoadedConfig): Promise<boolean> {
  return provenance.lan.origin === 'default' && (await readSwitches(config.dataDir)).lan === true
}
