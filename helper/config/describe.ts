import type { LoadedConfig, Origin } from './load.ts'
import { SETTING_LIST } from './settings.ts'

/** One line of `plexus config`. */
export interface DescribedSetting {
  readonly key: string
  /** Null when nothing is set. A secret is only said to be set. */
  readonly value: string | number | boolean | null
  readonly origin: Origin
  readonly from: string
  readonly doc: string
}

/** Each setting with its value and where it was said; never the token. */
export function describeConfig(loaded: LoadedConfig): DescribedSetting[] {
  return SETTING_LIST.map((setting) => {
    const value = loaded.config[setting.key]
    return {
      key: setting.key,
      value: value === undefined ? null : setting.secret ? 'set' : value,
      ...loaded.provenance[setting.key],
      doc: setting.doc,
    }
  })
}
