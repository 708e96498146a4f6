import { MeshError } from '../../mesh/base/index.ts'
import type { Mesh } from '../../mesh/mesh-types.ts'

const nobody = (): Promise<never> => Promise.reject(new MeshError('invitation-unknown', 'No device shows these words.'))

/** A mesh at whose door nobody knocks. */
export const NO_KNOCKS: Pick<Mesh, 'knock' | 'knocks' | 'findKnock' | 'admitKnock'> = {
  knock: nobody,
  knocks: () => [],
  findKnock: nobody,
  admitKnock: nobody,
}
