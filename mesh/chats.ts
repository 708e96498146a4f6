import { asId, createEvents, type Clock, type Logger, type ScopeId, type Store } from './base/index.ts'
import { chatPrefix, createChatDocuments, type ChatPlace } from './chat-documents.ts'
import type { MeshChats } from './chats-types.ts'
import { authorize, personScope, type Membership } from './identity/index.ts'
import type { KeptEpochs } from './keeping-epochs.ts'
import type { Sharing } from './sharing.ts'
import { createChatMirror, type ChatMirror } from './state/index.ts'

interface ChatsPorts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  readonly membership: Membership
  readonly epochs: KeptEpochs
  readonly sharing: Sharing
}

/** The chats of this device's person in the documents of the mesh it is in. */
export function createMeshChats(ports: ChatsPorts): MeshChats & Pick<ChatMirror, 'start' | 'stop'> {
  const { store, clock, log, membership, epochs, sharing } = ports
  const { self } = membership
  const placeChanges = createEvents<void>((error) => {
    log.error('a listener of chats failed', { error })
  })

  const place = (): ChatPlace | undefined => {
    const { mesh } = membership.ledger()
    const state = membership.state()
    const person = state.devices.get(self)?.person
    const mayWrite = authorize(membership.subject(self), 'write', 'own-person').allowed
    // nothing is sealed with the keys of a mesh that was left
    if (person === undefined || !mayWrite || epochs.mesh() !== mesh) return undefined
    const scope = personScope(person)
    const known = (state.epochs.get(scope) ?? []).filter(({ id }) => epochs.get(scope, id) !== undefined)
    return {
      scope: asId<ScopeId>(scope),
      prefix: chatPrefix(mesh),
      keys: String(known.length),
    }
  }

  const placeText = (): string => JSON.stringify(place() ?? null)
  let before = placeText()
  const look = (): void => {
    const now = placeText()
    if (now === before) return
    before = now
    placeChanges.emit()
  }

  const documents = createChatDocuments({ self, documents: sharing.documents, log, place, placeChanges })
  const mirror = createChatMirror({ store, clock, log, documents })
  let ends: readonly (() => void)[] = []
  return {
    wrote: mirror.wrote,
    changes: mirror.changes,
    problems: mirror.problems,
    start() {
      ends = [membership.changes.subscribe(look), epochs.changes.subscribe(look)]
      before = placeText()
      mirror.start()
    },
    async stop() {
      for (const end of ends) end()
      await mirror.stop()
    },
  }
}
