import { asMeshError, isAbort, MeshError, type Clock, type Logger, type MessageId } from '../../mesh/base/index.ts'
import type { Chats, UnbegunAnswer } from '../../mesh/state/index.ts'
import type { AnsweringControl, Interruption } from './answering.ts'
import type { OwnMesh } from './own-mesh.ts'
import {
  ANSWERING,
  CHATS,
  createServer,
  createTeller,
  MESH,
  type HeardAnswer,
  type Reply,
  type Told,
} from './remote/index.ts'
import { writingOf } from './shared-chats.ts'

const MOVED: Interruption = {
  code: 'aborted',
  message: 'This answer was interrupted: the conversation moved to another tab.',
}

/** What a term stands on. */
export interface TermPorts {
  readonly epoch: number
  readonly self: string
  readonly clock: Clock
  readonly log: Logger
  readonly chats: Chats
  readonly answering: AnsweringControl
  readonly own: OwnMesh
  post(message: Reply | Told): void
  /** What was heard of an answer of the last term. */
  lastOf(answer: MessageId): HeardAnswer | undefined
  /** True when another tab led until now: what it had begun is gone on with, where no word of it had come. */
  readonly goOn: boolean
  /** What the last term left is in order; wishes are done from here on. */
  onBegun(): void
  /** What the last term left could not be put in order. */
  onProblem(problem: MeshError): void
}

/** The time in which this tab holds the peer. */
export interface Term {
  /** True once wishes are done here. */
  readonly begun: boolean
  /** Takes a message of another tab. */
  hear(message: unknown): void
  /** Ends it. `fenced`: another tab leads already, so nothing is written any more. */
  end(reason: 'released' | 'fenced'): Promise<void>
}

/** Begins a term: puts the chats in order, serves the other tabs, starts the mesh. */
export function createTerm(ports: TermPorts): Term {
  const { chats, answering, own, log, clock, self, epoch, post } = ports
  const ending = new AbortController()
  const ready = Promise.withResolvers<void>()
  let begun = false

  const teller = createTeller({
    ...{ clock, self, epoch, post, answering },
    mesh: () => own.mesh(),
    problem: () => own.problem(),
  })
  const server = createServer({
    ...{ clock, log, self, epoch, post },
    served: {
      mesh: { shape: MESH, facade: () => own.mesh() },
      answering: { shape: ANSWERING, facade: () => answering },
      chats: { shape: CHATS, facade: () => writingOf(chats) },
    },
    ready: ready.promise,
    onAttach: teller.attach,
    beforeReply: teller.flush,
  })
  const endOwn = own.changes.subscribe(teller.peerChanged)

  const begin = async (): Promise<void> => {
    answering.begin()
    for (const answer of await putInOrder()) await goOnWith(answer)
    if (ending.signal.aborted) return
    begun = true
    ready.resolve()
    ports.onBegun()
    await own.start()
  }

  const putInOrder = async (): Promise<readonly UnbegunAnswer[]> => {
    try {
      return await chats.closeAbandoned({
        spareUnbegun: ports.goOn,
        lastTold: (answer) => ports.lastOf(answer)?.text,
        signal: ending.signal,
      })
    } catch (error) {
      if (!isAbort(error) && !ending.signal.aborted) ports.onProblem(asMeshError(error, 'storage-failed'))
      return []
    }
  }

  const goOnWith = async (answer: UnbegunAnswer): Promise<void> => {
    try {
      await answering.resume(answer, ports.lastOf(answer.message)?.live.model)
    } catch (error) {
      if (!ending.signal.aborted) log.warn('a waiting question could not be gone on with', { error })
    }
  }

  begin().catch((error: unknown) => {
    log.error('this tab could not begin to lead', { error })
  })

  return {
    get begun() {
      return begun
    },
    hear: server.hear,
    async end(reason) {
      ending.abort(new MeshError('aborted', 'Stopped.'))
      server.close()
      endOwn()
      // answers that are left to the next tab are not over: nothing more is told
      teller.close()
      if (reason === 'fenced') answering.drop()
      // both begin in this turn: neither may reach into a later term
      const written = reason === 'fenced' ? Promise.resolve() : answering.handOver(MOVED)
      await Promise.all([written, own.stop()])
    },
  }
}
