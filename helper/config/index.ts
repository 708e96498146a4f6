/**
 * What a person may set, and who said it: defaults, `config.toml`, environment,
 * flags. Promises that a value is checked before anybody sees it and that every
 * fault names its source. Knows nothing of what the settings are used for.
 */
export { describeConfig, type DescribedSetting } from './describe.ts'
export { CONFIG_FILE, loadConfig, type ConfigInput, type LoadedConfig, type Origin, type Provenance } from './load.ts'
export { DEFAULT_PORT, LOG_LEVELS, originsIn, SETTING_LIST, type Config, type Setting } from './settings.ts'
