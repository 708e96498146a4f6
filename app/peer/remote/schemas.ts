import * as z from 'zod/mini'
import {
  asId,
  ERROR_CODES,
  PROMPT_MAX_LENGTH,
  PROMPT_MAX_MESSAGES,
  WIRE_MESSAGE_MAX,
  type ChatId,
  type MessageId,
  type WireError,
} from '../../../mesh/base/index.ts'
import type {
  ChatMessage,
  ChatRole,
  EngineLoad,
  FinishReason,
  ModelProgress,
  ModelRecord,
  ModelSpeed,
  ModelState,
  Sampling,
  Timings,
  Usage,
} from '../../../mesh/engine/index.ts'
import type {
  Confirmation,
  DeviceKind,
  DeviceState,
  DeviceView,
  InvitationPreview,
  InvitationView,
  InviteOptions,
  JoinPhase,
  JoinProgress,
  AtStake,
  LinkContext,
  LinkOpened,
  MeshEvent,
  MeshModel,
  Door,
  KnockView,
  PendingJoin,
  Standing,
} from '../../../mesh/mesh-types.ts'
import type {
  InvitationLine,
  KeyLine,
  LedgerCheck,
  LedgerLine,
  PersonRole,
  PersonView,
  RemovalProgress,
} from '../../../mesh/people-types.ts'
import type { RecoverPhase, RecoveryDraft, RecoveryPart, RecoveryView } from '../../../mesh/recovery-types.ts'
import type {
  AskEvent,
  AskPhase,
  AskRequest,
  Path,
  Route,
  RouteCandidate,
  RouteReason,
  RouteRefusal,
  RouteScore,
} from '../../../mesh/route/index.ts'
import { ANSWER_MAX_LENGTH } from '../../../mesh/state/index.ts'
import { deviceId, list, modelId, text, whole } from '../../../mesh/wire/index.ts'
import type { Asked, AskOptions, LiveAnswer, LivePhase, WaitsFor } from '../app-peer.ts'
import { ITEMS_MAX, LINE_MAX_LENGTH } from './limits.ts'
import type { Schema } from './shape.ts'

// What crosses between tabs, checked field by field. Each schema is held against its
// type both ways: a field that is new in the type does not compile until it is here.

type Fields<Value> = { readonly [Key in keyof Value]-?: Schema<Value[Key]> }

/** An object of exactly the fields of its type; others are left out. */
export function object<Value extends object>(fields: Fields<Value>): Schema<Value> {
  return z.object(fields) as unknown as Schema<Value>
}

type Tagged = { readonly type: string }

/** One object per `type`; a member of the union without a line does not compile. */
function union<Value extends Tagged>(members: {
  readonly [Type in Value['type']]: Fields<Extract<Value, { readonly type: Type }>>
}): Schema<Value> {
  const all = Object.values(members).map((fields) => z.object(fields as Record<string, z.ZodMiniType>))
  return z.discriminatedUnion('type', all as unknown as [z.ZodMiniObject]) as unknown as Schema<Value>
}

/** Or nothing. */
export const optional = <Value>(schema: Schema<Value>): Schema<Value | undefined> => z.optional(schema)
/** A list, bounded. */
export const many = <Value>(schema: Schema<Value>): Schema<readonly Value[]> => list(schema, ITEMS_MAX)
/** One of these words: every word of the type, or it does not compile. */
export const one = <Word extends string>(words: { readonly [Each in Word]: true }): Schema<Word> =>
  z.enum(Object.keys(words)) as unknown as Schema<Word>
/** This very word. */
export const is = <const Word extends string>(word: Word): Schema<Word> => z.literal(word)

/** A word that names something of the store. */
export const name = (): Schema<string> => text(64).check(z.regex(/^[a-z0-9][a-z0-9-]*$/))
/** A sentence, a name, a link. */
export const line: Schema<string> = text(LINE_MAX_LENGTH)
/** A number with fractions; never NaN. */
export const figure: Schema<number> = z.number()
/** A number of things. */
export const count: Schema<number> = whole()
/** A yes or no. */
export const yesNo: Schema<boolean> = z.boolean()
/** What a method without a result gives. */
export const nothing: Schema<void> = z.undefined()
/** The id of a chat. */
export const chatId: Schema<ChatId> = z.pipe(
  name(),
  z.transform((value) => asId<ChatId>(value)),
)
/** The id of a message. */
export const messageId: Schema<MessageId> = z.pipe(
  name(),
  z.transform((value) => asId<MessageId>(value)),
)
/** The id of an invitation: our own word, whatever its form. */
export const invitationName = line as unknown as Schema<InvitationView['id']>
export { deviceId, modelId, text }

// ---- models and devices ----

const load = object<EngineLoad>({ slots: count, busy: count, queued: count })
const progress = object<ModelProgress>({
  receivedBytes: figure,
  totalBytes: figure,
  rateBytesPerSecond: figure,
  source: line,
})
const speed = object<ModelSpeed>({
  prefillTokensPerSecond: figure,
  decodeTokensPerSecond: figure,
  measuredAt: figure,
})
const modelRecord = object<ModelRecord>({
  id: modelId,
  sizeBytes: figure,
  sha256: line,
  contextTokens: count,
  state: one<ModelState>({ downloading: true, available: true, loading: true, ready: true, failed: true }),
  addedAt: figure,
  progress: optional(progress),
  speed: optional(speed),
  reason: optional(line),
})
const path = one<Path>({ self: true, direct: true, relayed: true, none: true })
const kind = one<DeviceKind>({ helper: true, browser: true })
/** What a person may be. */
export const role = one<PersonRole>({ owner: true, member: true, 'helper-only': true, guest: true })
const confirmation = one<Confirmation>({ 'in-advance': true, pictures: true })
const pictures = many(line)

/** Where a device is. */
export const deviceState = one<DeviceState>({ online: true, asleep: true, unreachable: true, removed: true })

/** A device as the leading tab sees it. */
export const deviceView = object<DeviceView>({
  id: deviceId,
  name: line,
  kind,
  role,
  person: line,
  personId: line,
  state: deviceState,
  path,
  rttMs: z.nullable(figure),
  lastSeenAt: z.nullable(figure),
  admittedAt: figure,
  admittedBy: deviceId,
  recovered: yesNo,
  trouble: optional(line),
  models: many(modelRecord),
  load,
  removable: yesNo,
})
/** The list of devices. */
export const devices = many(deviceView)
/** The list of models. */
export const models = many(
  object<MeshModel>({
    id: modelId,
    sizeBytes: figure,
    contextTokens: count,
    addedAt: figure,
    devices: many(deviceId),
    ready: yesNo,
  }),
)
/** Addresses in text form. */
export const lines = many(line)
/** Where this device stands. */
export const standing = one<Standing>({ alone: true, member: true, removed: true })

// ---- inviting and joining ----

/** What one invites to. */
export const inviteOptions = object<InviteOptions>({
  person: optional(line),
  role: optional(role),
  confirmation,
  lifetimeMs: optional(figure),
})
/** An invitation to hand on. Holds a secret. */
export const invitationView = object<InvitationView>({
  id: invitationName,
  fragment: line,
  url: line,
  expiresAt: figure,
  confirmation,
})
/** What a link says. */
export const invitationPreview = object<InvitationPreview>({
  inviter: deviceId,
  inviterName: line,
  role,
  person: line,
  compares: one<InvitationPreview['compares']>({ nowhere: true, there: true, both: true }),
  fromElsewhere: yesNo,
  expiresAt: figure,
  known: yesNo,
  atStake: object<AtStake>({ chats: count, rooms: count, devices: count }),
})
/** How a link came here. */
export const linkContext = object<LinkContext>({
  opened: optional(one<LinkOpened>({ 'by-hand': true, unknown: true, elsewhere: true })),
  page: optional(line),
})
/** Progress of a join. */
export const joinProgress = object<JoinProgress>({
  phase: one<JoinPhase>({ finding: true, connecting: true, proving: true, comparing: true, admitted: true }),
  pictures: optional(pictures),
  asks: optional(yesNo),
})
const pendingJoin = object<PendingJoin>({
  invitation: invitationName,
  device: deviceId,
  name: line,
  kind,
  person: line,
  role,
  pictures,
  path,
})
/** Devices that wait for their pictures. */
export const pendingJoins = many(pendingJoin)

/** What happens in the mesh. */
export const meshEvent = union<MeshEvent>({
  'device-changed': { type: is('device-changed'), device: deviceView },
  'device-joined': { type: is('device-joined'), device: deviceView },
  'device-removed': { type: is('device-removed'), id: deviceId },
  'join-pending': { type: is('join-pending'), join: pendingJoin },
  'join-settled': { type: is('join-settled'), invitation: invitationName, device: deviceId, admitted: yesNo },
  knocks: { type: is('knocks') },
  membership: { type: is('membership'), standing },
  'people-changed': { type: is('people-changed') },
  'ask-started': { type: is('ask-started'), request: line, device: deviceId, model: modelId },
  tokens: { type: is('tokens'), request: line, device: deviceId, tokenCount: count },
  'ask-ended': { type: is('ask-ended'), request: line, device: deviceId, outcome: line },
})

/** A device one can be admitted at. */
export const door = object<Door>({ device: deviceId, addresses: lines })
/** A device that shows words. */
export const knockView = object<KnockView>({ device: deviceId, name: line, kind, path })
/** Those that wait. */
export const knocks = many(knockView)

/** A door, or an address or link as it was typed. */
export const place = z.union([line, door])
/** How far a coming back is. */
export const recoverPhase = one<RecoverPhase>({ connecting: true, proving: true, opening: true })
/** Whether there are recovery words. */
export const recovery = z.nullable(object<RecoveryView>({ since: figure, by: deviceId, byName: line }))
/** Words and parts in force nowhere yet. */
export const recoveryDraft = object<RecoveryDraft>({
  words: lines,
  parts: many(object<RecoveryPart>({ number: figure, text: line })),
})

// ---- people and the ledger ----

/** People of the mesh. */
export const people = many(
  object<PersonView>({
    id: line,
    name: line,
    role,
    own: yesNo,
    devices: many(deviceId),
    addedAt: figure,
    removedAt: z.nullable(figure),
    roleChangeable: yesNo,
    removable: yesNo,
  }),
)
const sentence = object<LedgerLine['sentence']>({
  key: line,
  values: z.record(text(64), z.union([line, figure])),
})
/** The ledger in words. */
export const ledgerLines = many(
  object<LedgerLine>({
    hash: line,
    type: line,
    by: deviceId,
    byName: line,
    at: figure,
    sentence,
    counts: yesNo,
    ignoredBy: optional(line),
  }),
)
/** What checking it found. */
export const ledgerCheck = object<LedgerCheck>({ entries: count, signatures: count, checkedAt: figure, faults: lines })
/** Invitations without their secrets. */
export const invitationLines = many(
  object<InvitationLine>({
    id: invitationName,
    madeBy: deviceId,
    madeByName: line,
    person: line,
    role,
    confirmation,
    createdAt: figure,
    expiresAt: figure,
    state: one<InvitationLine['state']>({ open: true, used: true, revoked: true, expired: true }),
    usedBy: optional(deviceId),
    revocable: yesNo,
  }),
)
/** Key generations. */
export const keyLines = many(
  object<KeyLine>({
    scope: one<KeyLine['scope']>({ mesh: true, person: true, room: true }),
    room: optional(line),
    generation: count,
    changedAt: figure,
    changedBy: deviceId,
    holders: count,
  }),
)
/** Removals under way. */
export const removals = many(
  object<RemovalProgress>({
    device: deviceId,
    name: line,
    removedAt: figure,
    removedBy: deviceId,
    generation: optional(count),
    told: count,
    of: count,
  }),
)

// ---- asking ----

const score = object<RouteScore>({
  rttMs: figure,
  queueMs: figure,
  loadMs: figure,
  prefillMs: figure,
  decodeTokensPerSecond: figure,
  firstTokenMs: figure,
})
const candidate = object<RouteCandidate>({
  device: deviceId,
  deviceName: line,
  model: optional(modelId),
  verdict: one<RouteCandidate['verdict']>({ chosen: true, possible: true, refused: true }),
  score: optional(score),
  refusal: optional(
    one<RouteRefusal>({
      'not-asked-for': true,
      'not-in-room': true,
      'may-not-ask': true,
      'may-not-answer': true,
      'no-model': true,
      'no-engine': true,
      'model-missing': true,
      'model-not-ready': true,
      unreachable: true,
    }),
  ),
})
/** A decision which device answers. */
export const route = object<Route>({
  device: deviceId,
  deviceName: line,
  model: modelId,
  path,
  reason: one<RouteReason>({ 'only-one': true, 'fastest-first-word': true, 'asked-for': true }),
  decidedAt: figure,
  candidates: many(candidate),
})
const sampling = object<Sampling>({
  temperature: optional(figure),
  topP: optional(figure),
  seed: optional(figure),
  maxTokens: optional(figure),
  presencePenalty: optional(figure),
  frequencyPenalty: optional(figure),
  stop: optional(many(line)),
})
const chatMessage = object<ChatMessage>({
  role: one<ChatRole>({ system: true, user: true, assistant: true }),
  content: text(PROMPT_MAX_LENGTH),
})
/** A question to the mesh. */
export const askRequest = object<AskRequest>({
  messages: list(chatMessage, PROMPT_MAX_MESSAGES),
  model: optional(modelId),
  device: optional(deviceId),
  among: optional(many(deviceId)),
  through: optional(one<NonNullable<AskRequest['through']>>({ gateway: true })),
  sampling,
})
/** Tokens of an answer. */
export const usage = object<Usage>({ promptTokens: count, cachedTokens: count, completionTokens: count })
const timings = object<Timings>({ queueMs: figure, prefillMs: figure, firstTokenMs: figure, decodeMs: figure })
const waits = { ahead: optional(count), fraction: optional(figure) }
const askPhases = { connecting: true, queued: true, loading: true, reading: true } as const
/** What the asking waits for. */
export const askPhase = one<AskPhase>(askPhases)

/** What the asker hears. */
export const askEvent = union<AskEvent>({
  route: { type: is('route'), route },
  phase: { type: is('phase'), phase: askPhase, ...waits },
  text: { type: is('text'), text: text(ANSWER_MAX_LENGTH), tokenCount: count },
  end: { type: is('end'), finish: one<FinishReason>({ stop: true, length: true }), usage, timings, bytesSent: figure },
})

// ---- answers in a chat ----

/** The ids of what a question added. */
export const asked = object<Asked>({ question: messageId, answer: messageId })
/** What one may ask for beside the text. */
export const askOptions = object<AskOptions>({
  model: optional(modelId),
  ids: optional(asked),
})
/** An answer on its way. */
export const liveAnswer = object<LiveAnswer>({
  chat: chatId,
  message: messageId,
  model: optional(modelId),
  phase: one<LivePhase>({ waiting: true, ...askPhases, writing: true }),
  waitsFor: optional(one<WaitsFor>({ peer: true, device: true, model: true })),
  ...waits,
  elapsedMs: figure,
  phaseMs: figure,
  tokens: count,
  tokensPerSecond: optional(figure),
  route: optional(route),
})
/** A failure as it crosses: never a stack. */
export const wireError = object<WireError>({
  code: z.enum(ERROR_CODES),
  message: text(WIRE_MESSAGE_MAX),
  detail: optional(z.record(text(64), z.union([line, figure, yesNo]))),
})
