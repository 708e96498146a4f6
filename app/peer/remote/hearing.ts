import * as z from 'zod/mini'
import {
  createEvents,
  errorFromWire,
  MeshError,
  type ChatId,
  type EventHub,
  type EventSource,
  type Logger,
  type MessageId,
} from '../../../mesh/base/index.ts'
import type { MeshEvent } from '../../../mesh/mesh-types.ts'
import type { LiveText } from '../../../mesh/state/index.ts'
import type { LiveAnswer, LiveChange, SharedMesh } from '../app-peer.ts'
import type { Caller, Leader } from './caller.ts'
import { toldSchema, type Told } from './messages.ts'
import { createRemoteMesh } from './remote-mesh.ts'
import { entryOf } from './shape.ts'
import { MESH } from './tables.ts'

/** What hearing the leading tab stands on. */
export interface HearingPorts {
  readonly log: Logger
  readonly caller: Caller
  /** Asks the leading tab to be told everything. */
  attach(leader: Leader): void
  /** Reads what the leading tab stored of a chat. */
  refresh(chat: ChatId): Promise<void>
}

/** What this tab knows of the leading one. */
export interface Hearing {
  /** `mesh` or `problem` changed. */
  readonly changes: EventSource<void>
  readonly liveChanges: EventSource<LiveChange>
  mesh(): SharedMesh | undefined
  problem(): MeshError | undefined
  live(answer: MessageId): LiveAnswer | undefined
  liveIn(chat: ChatId): LiveAnswer | undefined
  /** The text of an answer that is on its way in the leading tab. */
  textOf(answer: MessageId): LiveText | undefined
  /** What was heard last of an answer that was on its way when the last leading tab went. */
  lastOf(answer: MessageId): HeardAnswer | undefined
  /** Follows this tab from now on, and forgets what another said. Undefined: nobody, or this tab itself. True: it is another than before. */
  follow(leader: Leader | undefined): boolean
  /** Asks to be told everything again: this tab slept. */
  again(): void
  hear(message: unknown): void
}

/** An answer on its way in another tab. */
export interface HeardAnswer {
  readonly live: LiveAnswer
  readonly text: string
}

interface HeardMesh {
  readonly mesh: SharedMesh
  readonly snapshots: Map<string, unknown>
  readonly events: EventHub<MeshEvent>
}

const UNLIKE = 'The tab that holds the connection runs another version of this page. Use it here, or reload both.'

/** Makes ears that follow nobody yet. */
export function createHearing(ports: HearingPorts): Hearing {
  const { log } = ports
  const onListenerError = (error: unknown): void => {
    log.error('a listener failed', { error })
  }
  const changes = createEvents<void>(onListenerError)
  const liveChanges = createEvents<LiveChange>(onListenerError)
  const answers = new Map<MessageId, HeardAnswer>()
  let leader: Leader | undefined
  /** Of the last news; undefined until everything was told once. */
  let sequence: number | undefined
  let heard: HeardMesh | undefined
  let problem: MeshError | undefined
  let left: ReadonlyMap<MessageId, HeardAnswer> = new Map()

  const forget = (): void => {
    sequence = undefined
    heard = undefined
    problem = undefined
    const gone = [...answers.values()]
    left = new Map(gone.map((answer) => [answer.live.message, answer]))
    answers.clear()
    for (const { live } of gone) liveChanges.emit({ chat: live.chat, message: live.message, kind: 'ended' })
    changes.emit()
  }

  const attach = (): void => {
    if (leader !== undefined) ports.attach(leader)
  }

  // ---- the mesh ----

  const hearMesh = (told: Told): void => {
    if (!told.peer.running) {
      if (heard === undefined) return
      heard = undefined
      changes.emit()
      return
    }
    // told everything: a new mesh to read, so that nobody goes on with what was missed
    const isNew = heard === undefined || told.to !== undefined
    const news = Object.entries(told.snapshots).map(([name, value]) => [name, readMember(name, value)] as const)
    if (heard === undefined || isNew) heard = meshOf(new Map(news))
    else for (const [name, value] of news) heard.snapshots.set(name, value)
    if (isNew) changes.emit()
    for (const event of told.events) heard.events.emit(readMember('events', event) as MeshEvent)
  }

  const meshOf = (snapshots: Map<string, unknown>): HeardMesh => {
    const events = createEvents<MeshEvent>(onListenerError)
    return { mesh: createRemoteMesh(ports.caller, snapshots, events, log), snapshots, events }
  }

  const hearProblem = ({ peer }: Told): void => {
    if (peer.problem?.code === problem?.code && peer.problem?.message === problem?.message) return
    problem = peer.problem && errorFromWire(peer.problem)
    changes.emit()
  }

  // ---- answers ----

  const hearAnswers = (told: Told): void => {
    for (const { live, at, text } of told.answers) {
      const before = answers.get(live.message)
      if (at > (before?.text.length ?? 0)) {
        attach()
        continue
      }
      answers.set(live.message, { live, text: (before?.text.slice(0, at) ?? '') + text })
      const kind = before === undefined ? 'started' : 'progress'
      liveChanges.emit({ chat: live.chat, message: live.message, kind })
    }
    for (const end of told.ended) void hearEnd(end)
  }

  /** What was heard stays until the stored end is read, so that no word vanishes in between. */
  const hearEnd = async ({ chat, message }: { chat: ChatId; message: MessageId }): Promise<void> => {
    const before = answers.get(message)
    try {
      await ports.refresh(chat)
    } catch (error) {
      log.warn('the end of an answer could not be read', { error })
    }
    if (before === undefined || answers.get(message) !== before) return
    answers.delete(message)
    liveChanges.emit({ chat, message, kind: 'ended' })
  }

  /** Told everything: what is not in it is over. */
  const dropOthers = (told: Told): void => {
    const here = new Set(told.answers.map(({ live }) => live.message))
    for (const { live } of [...answers.values()]) if (!here.has(live.message)) void hearEnd(live)
  }

  const take = (told: Told): void => {
    if (told.to !== undefined) dropOthers(told)
    hearProblem(told)
    hearMesh(told)
    hearAnswers(told)
  }

  /** True when nothing was missed before these news. */
  const isNext = (told: Told): boolean => {
    if (told.to !== undefined) return true
    if (sequence === undefined) return false
    if (told.sequence === sequence + 1) return true
    if (told.sequence > sequence) attach()
    return false
  }

  return {
    changes,
    liveChanges,
    mesh: () => heard?.mesh,
    problem: () => problem,
    live: (answer) => answers.get(answer)?.live,
    liveIn: (chat) => [...answers.values()].find(({ live }) => live.chat === chat)?.live,
    textOf(answer) {
      const known = answers.get(answer)
      if (known === undefined) return undefined
      const { text, live } = known
      return { text, state: text === '' ? 'waiting' : 'streaming', route: live.route }
    },
    lastOf: (answer) => left.get(answer),
    follow(next) {
      if (next?.tab === leader?.tab && next?.epoch === leader?.epoch) return false
      leader = next
      forget()
      attach()
      return next !== undefined
    },
    again: attach,
    hear(message) {
      const parsed = z.safeParse(toldSchema, message)
      if (!parsed.success) {
        if (isTold(message, leader)) misunderstood()
        return
      }
      const told = parsed.data
      if (told.from !== leader?.tab || told.epoch !== leader.epoch || !isNext(told)) return
      if (told.to !== undefined && told.to !== ports.caller.self) return
      sequence = told.sequence
      try {
        take(told)
      } catch (error) {
        log.warn('the news of the leading tab could not be read', { error })
        misunderstood()
      }
    },
  }

  function misunderstood(): void {
    heard = undefined
    problem = new MeshError('unsupported', UNLIKE)
    changes.emit()
  }
}

/** News by their head, of a tab that says the rest in another way. */
function isTold(message: unknown, leader: Leader | undefined): boolean {
  if (typeof message !== 'object' || message === null || leader === undefined) return false
  return 'type' in message && message.type === 'told' && 'from' in message && message.from === leader.tab
}

function readMember(name: string, value: unknown): unknown {
  const schema = entryOf(MESH, name)?.value
  const parsed = schema && z.safeParse(schema, value)
  if (parsed?.success === true) return parsed.data
  throw new MeshError('unsupported', UNLIKE, { detail: { member: name } })
}
