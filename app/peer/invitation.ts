import { asMeshError, isAbort, MeshError, type Logger } from '../../mesh/base/index.ts'
import type { InvitationPreview, LinkContext, LinkOpened } from '../../mesh/mesh-types.ts'
import type { PendingInvitation, SharedMesh } from './app-peer.ts'
import { isMoved } from './remote/index.ts'

/** What a pending invitation stands on. */
export interface InvitationPorts {
  readonly log: Logger
  /** The mesh as this tab has it; undefined while there is none. */
  mesh(): SharedMesh | undefined
  /** Why a link may not be used here; undefined: it may. */
  readonly refuse?: ((link: string) => MeshError | undefined) | undefined
  /** Where the helper of this machine would be that served this page. */
  readonly page?: string | undefined
  /** Shows where the invitation stands. */
  show(invitation: PendingInvitation | undefined): void
}

/** The link that was opened or pasted in this tab. */
export interface Invitations {
  offer(link: string, opened: LinkOpened): void
  accept(): Promise<void>
  /** Answers for the pictures that are compared here. */
  agree(matches: boolean): Promise<void>
  dismiss(): void
  /** The mesh came, or another one took its place. */
  meshChanged(): void
  close(): void
}

/** Holds one invitation at a time, from the link to its end. */
export function createInvitations(ports: InvitationPorts): Invitations {
  const { log } = ports
  let link: string | undefined
  let context: LinkContext = {}
  let preview: InvitationPreview | undefined
  let joining: AbortController | undefined
  let reading: Promise<void> = Promise.resolve()
  const closing = new AbortController()

  const stopped = (): MeshError => new MeshError('aborted', 'Stopped.')

  /** Shows what a pending link says, once the mesh is there to read it. */
  const readLink = async (): Promise<void> => {
    const mesh = ports.mesh()
    const given = link
    if (given === undefined || mesh === undefined || joining !== undefined) return
    try {
      const said = await mesh.preview(given, { ...context, signal: closing.signal })
      if (link !== given || isJoining()) return
      preview = said
      if (said.known) meetAgain(mesh, given)
      else ports.show({ phase: 'offered', preview: said })
    } catch (error) {
      // it is read again where the peer is then
      if (link !== given || ports.mesh() !== mesh || isMoved(error)) return
      ports.show({ phase: 'failed', error: asMeshError(error, 'malformed') })
    }
  }

  const isJoining = (): boolean => joining !== undefined

  /** Nothing is left to agree to, but the link may say where the inviter is now. */
  const meetAgain = (mesh: SharedMesh, known: string): void => {
    dismiss()
    mesh.join(known, { signal: closing.signal }).catch((error: unknown) => {
      if (!isAbort(error)) log.info('the device of the link did not answer', { code: asMeshError(error).code })
    })
  }

  const forget = (): void => {
    link = undefined
    preview = undefined
    ports.show(undefined)
  }

  const dismiss = (): void => {
    joining?.abort(stopped())
    joining = undefined
    forget()
  }

  const join = async (
    mesh: SharedMesh,
    given: string,
    said: InvitationPreview,
    own: AbortController,
  ): Promise<void> => {
    try {
      await mesh.join(given, {
        ...context,
        signal: own.signal,
        onProgress(progress) {
          if (joining === own) ports.show({ phase: 'joining', preview: said, progress })
        },
      })
      if (joining === own) forget()
    } catch (error) {
      if (joining !== own || isAbort(error)) return
      ports.show({ phase: 'failed', preview: said, error: asMeshError(error) })
    } finally {
      if (joining === own) joining = undefined
    }
  }

  return {
    offer(given, opened) {
      context = { opened, page: ports.page }
      joining?.abort(stopped())
      joining = undefined
      preview = undefined
      const refusal = ports.refuse?.(given)
      link = refusal === undefined ? given : undefined
      if (refusal !== undefined) {
        ports.show({ phase: 'failed', error: refusal })
        return
      }
      ports.show({ phase: 'reading' })
      reading = readLink()
    },
    async accept() {
      if (preview === undefined) await reading
      const mesh = ports.mesh()
      if (mesh === undefined || link === undefined || preview === undefined || joining !== undefined) return
      const own = new AbortController()
      joining = own
      ports.show({ phase: 'joining', preview })
      await join(mesh, link, preview, own)
    },
    async agree(matches) {
      const mesh = ports.mesh()
      if (mesh !== undefined && link !== undefined) await mesh.agreeToJoin(link, matches)
    },
    dismiss,
    meshChanged() {
      reading = readLink()
    },
    close() {
      joining?.abort(stopped())
      closing.abort(stopped())
    },
  }
}
