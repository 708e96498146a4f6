import { MeshError, type DeviceId } from '../../mesh/base/index.ts'
import type { DeviceView, Mesh } from '../../mesh/mesh-types.ts'
import type { MeshRecovery, RecoveryDraft, RecoveryView } from '../../mesh/recovery-types.ts'

/** The words and parts of a fake mesh. */
export const FAKE_RECOVERY: RecoveryDraft = {
  words: 'legal winner thank year wave sausage worth useful legal winner thank yellow'.split(' '),
  parts: [1, 2, 3].map((number) => ({
    number,
    text: Array.from({ length: 12 }, (_, at) => `2${String(number)}X${'ABCDEFGHJKMN'.charAt(at)}`).join('-'),
  })),
}

/** What a fake recovery begins with. */
export interface FakeRecoveryOptions {
  readonly self: DeviceId
  /** In force from the start. */
  readonly since?: number | undefined
  /** Where those were made; absent: on this device. */
  readonly by?: DeviceId | undefined
  /** The device that lets back in; absent: no words bring anybody back. */
  readonly door?: (() => DeviceView) | undefined
  readonly onChange?: (() => void) | undefined
}

/** Recovery words that are always the same. */
export function createFakeRecovery({
  self,
  since,
  by = self,
  door,
  onChange,
}: FakeRecoveryOptions): MeshRecovery & Pick<Mesh, 'recover'> {
  let inForce: RecoveryView | null = since === undefined ? null : { since, by, byName: 'Desktop' }
  const put = (next: RecoveryView | null): Promise<void> => {
    inForce = next
    onChange?.()
    return Promise.resolve()
  }
  return {
    recovery: () => inForce,
    draftRecovery: () => Promise.resolve(FAKE_RECOVERY),
    keepRecovery: () => put({ since: Date.now(), by: self, byName: 'Desktop' }),
    removeRecovery: () => put(null),
    async recover(secret, _place, options) {
      options?.onProgress?.('connecting')
      await Promise.resolve()
      if (door === undefined || !secret.startsWith(FAKE_RECOVERY.words.join(' ')))
        throw new MeshError('recovery-unknown', 'These words bring nobody back here.')
      return door()
    },
  }
}
