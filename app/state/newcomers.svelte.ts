import type { DeviceId } from '../../mesh/base/index.ts'
import type { DeviceView } from '../../mesh/mesh-types.ts'
import { knownAsText, knownFromText, nextNewcomer, withKnown, type NewcomerFacts } from './newcomers.ts'
import type { Memory } from './preferences.svelte.ts'

const KEY = 'known-devices'

/** Devices of one's own that came without this one; each is asked about once here. */
export class Newcomers {
  readonly #memory: Memory
  #known = $state.raw<readonly DeviceId[]>([])

  constructor(memory: Memory) {
    this.#memory = memory
    this.#known = knownFromText(memory.read(KEY))
  }

  /** The newest device that this one should ask about. */
  next(facts: Omit<NewcomerFacts, 'known'>): DeviceView | undefined {
    return nextNewcomer({ ...facts, known: this.#known })
  }

  /** It was me: not asked again in this browser. */
  recognise(device: DeviceId): void {
    this.#known = withKnown(this.#known, device)
    this.#memory.write(KEY, knownAsText(this.#known))
  }
}
