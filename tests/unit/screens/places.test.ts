import { describe, expect, it } from 'vitest'
import { fileName } from '../../../app/parts/save-file.ts'
import { bannerFor, type BannerFacts } from '../../../app/shell/banner-rank.ts'
import { placeFromSearch, searchFromPlace } from '../../../app/state/router.svelte.ts'
import { linkOf, onlyThisComputer, trustFirst } from '../../../app/views/add-device/parts/link.ts'
import { groupByAge, matches } from '../../../app/views/chat/parts/chat-list.ts'
import { countWords } from '../../../app/views/chat/parts/phase-words.ts'
import { asId, type ChatId, type InvitationId } from '../../../mesh/base/index.ts'
import type { ChatSummary } from '../../../mesh/state/index.ts'

const chat = (title: string, updatedAt: number, excerpt = ''): ChatSummary => ({
  id: asId<ChatId>(title),
  title,
  createdAt: updatedAt,
  updatedAt,
  excerpt,
  lastState: 'done',
})

describe('places in the address', () => {
  it('come back from the address as they went into it', () => {
    for (const search of [
      '',
      '?view=devices',
      '?chat=abc',
      '?list=1',
      '?view=devices&device=12D3',
      '?view=settings',
      '?view=security&tab=people&person=0a1b&remove=1',
      '?view=rooms&room=abc',
    ]) {
      expect(searchFromPlace(placeFromSearch(search))).toBe(search)
    }
  })

  it('ignore what is empty, overlong or unknown', () => {
    expect(placeFromSearch(`?chat=${'x'.repeat(200)}&device=&utm=1`)).toEqual({ view: 'chat' })
  })
})

describe('the one banner', () => {
  const calm: BannerFacts = {
    standing: 'leader',
    leaderSilent: false,
    membership: 'member',
    guest: false,
    volatile: false,
    problem: false,
    ledgerFaulty: false,
    newcomer: false,
    waiting: false,
    online: true,
    mayVanish: false,
    updateReady: false,
  }
  it('is silent when all is well', () => {
    expect(bannerFor(calm)).toBeUndefined()
    expect(bannerFor({ ...calm, standing: 'follower' })).toBeUndefined()
  })
  it('speaks of the worst thing only', () => {
    const all: BannerFacts = {
      standing: 'follower',
      leaderSilent: true,
      membership: 'removed',
      guest: true,
      volatile: true,
      problem: true,
      ledgerFaulty: true,
      newcomer: true,
      waiting: true,
      online: false,
      mayVanish: true,
      updateReady: true,
    }
    expect(bannerFor(all)).toBe('problem')
    expect(bannerFor({ ...all, problem: false })).toBe('guest')
    expect(bannerFor({ ...all, problem: false, guest: false })).toBe('volatile')
    expect(bannerFor({ ...all, problem: false, guest: false, volatile: false })).toBe('removed')
    const doubtful = { ...calm, standing: 'follower', leaderSilent: true, online: false, newcomer: true } as const
    expect(bannerFor({ ...doubtful, ledgerFaulty: true })).toBe('ledger')
    expect(bannerFor({ ...doubtful, waiting: true })).toBe('joined')
    expect(bannerFor({ ...doubtful, newcomer: false, waiting: true })).toBe('waiting')
    expect(bannerFor({ ...calm, standing: 'follower', leaderSilent: true, online: false })).toBe('silent')
    expect(bannerFor({ ...calm, online: false, updateReady: true })).toBe('offline')
    expect(bannerFor({ ...calm, online: false, mayVanish: true })).toBe('offline')
    expect(bannerFor({ ...calm, mayVanish: true, updateReady: true })).toBe('may-vanish')
    expect(bannerFor({ ...calm, updateReady: true })).toBe('update')
  })
})

describe('the list of chats', () => {
  const now = new Date(2026, 10, 21, 15, 0).getTime()
  it('is divided by age and keeps its order', () => {
    const groups = groupByAge(
      [chat('a', now), chat('b', now - 1000), chat('c', now - 3 * 86_400_000), chat('d', 0)],
      now,
    )
    expect(groups.map((group) => [group.age, group.chats.map((entry) => entry.title)])).toEqual([
      ['today', ['a', 'b']],
      ['week', ['c']],
      ['earlier', ['d']],
    ])
  })
  it('finds every word, wherever it stands and however it is written', () => {
    expect(matches(chat('Photo archive', now, 'rename nothing'), 'NOTHING photo')).toBe(true)
    expect(matches(chat('Photo archive', now), 'soup')).toBe(false)
    expect(matches(chat('Photo archive', now), '')).toBe(true)
  })
})

describe('invitations to be shown', () => {
  const invitation = { id: asId<InvitationId>('i'), fragment: 'j=abc', expiresAt: 0, confirmation: 'pictures' } as const
  it('lead to the helper where it serves a page, else to this copy', () => {
    const here = { origin: 'https://plexus.example', pathname: '/app/' }
    expect(linkOf({ ...invitation, url: 'http://127.0.0.1:8790/#j=abc' }, here)).toBe('http://127.0.0.1:8790/#j=abc')
    expect(linkOf({ ...invitation, url: '' }, here)).toBe('https://plexus.example/app/#j=abc')
  })
  it('for another device lead to the best page of the helper, and nowhere without one', () => {
    const here = { origin: 'http://127.0.0.1:8790', pathname: '/' }
    const own = { ...invitation, url: 'http://127.0.0.1:8790/#j=abc' }
    const helper = { lan: true, page: 'https://10.0.0.7:8790/', trust: undefined, guests: false }
    expect(linkOf(own, here, 'elsewhere', helper)).toBe('https://10.0.0.7:8790/#j=abc')
    expect(linkOf(own, here, 'here', helper)).toBe('http://127.0.0.1:8790/#j=abc')
    // a secret never travels in the clear: better no link than that one
    expect(linkOf(own, here, 'elsewhere', { ...helper, page: undefined })).toBeUndefined()
    expect(linkOf(own, here, 'elsewhere')).toBeUndefined()
    // a page that others reach already leads to itself
    const elsewhere = { origin: 'https://10.0.0.7:8790', pathname: '/' }
    expect(linkOf({ ...invitation, url: '' }, elsewhere, 'elsewhere', helper)).toBe('https://10.0.0.7:8790/#j=abc')
  })
  it('need the helper to be trusted first where its own page is the one they lead to', () => {
    const helper = { lan: true, page: 'https://10.0.0.7:8790/', trust: 'http://10.0.0.7:8790/trust', guests: true }
    expect(trustFirst(helper)).toBe('http://10.0.0.7:8790/trust')
    expect(trustFirst({ ...helper, page: 'https://plexus.example/' })).toBeUndefined()
    expect(trustFirst({ ...helper, page: undefined })).toBeUndefined()
    expect(trustFirst({ ...helper, trust: undefined })).toBeUndefined()
  })
  it('are known when they open on this computer only', () => {
    expect(onlyThisComputer('http://127.0.0.1:8790/#x')).toBe(true)
    expect(onlyThisComputer('http://192.168.1.7:8790/#x')).toBe(false)
    expect(onlyThisComputer('nonsense')).toBe(false)
  })
})

describe('small words', () => {
  it('counts words as a person does', () => {
    expect(countWords('  one two\nthree ')).toBe(3)
    expect(countWords('')).toBe(0)
  })
  it('names a file so that every system takes it', () => {
    expect(fileName('a/b:c?"<>|\u0000 d.')).toBe('a b c d')
    expect(fileName('...')).toBe('plexus')
  })
})
