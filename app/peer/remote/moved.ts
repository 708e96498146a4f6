import { isMeshError, MeshError } from '../../../mesh/base/index.ts'

/** The failure of what was under way while another tab took over. It can be tried again, there. */
export function movedError(): MeshError {
  return new MeshError('peer-gone', 'Another tab of this browser took over in the middle of this. Try again.', {
    detail: { moved: true },
  })
}

/** True for {@link movedError}. */
export function isMoved(error: unknown): boolean {
  return isMeshError(error, 'peer-gone') && error.detail['moved'] === true
}
