import { describe, expect, it } from 'vitest'
import { leftMs, outlookOf } from '../../../app/views/chat/parts/outlook.ts'
import { fakeDevice, fakeModel } from '../../kit/preview/fake-mesh.ts'

const self = fakeDevice('Amber Heron', { kind: 'browser', path: 'self', rttMs: null })
const helper = fakeDevice('Desktop', { models: [fakeModel()] })
const facts = { running: true, standing: 'member' } as const
const progress = { receivedBytes: 40, totalBytes: 100, rateBytesPerSecond: 10, source: 'a package' }

describe('what to expect before asking', () => {
  it('promises an answer only where a device in reach has a model', () => {
    expect(outlookOf({ ...facts, devices: [self, helper] })).toMatchObject({
      kind: 'ready',
      device: { name: 'Desktop' },
    })
    expect(outlookOf({ ...facts, devices: [self, { ...helper, state: 'unreachable', path: 'none' }] }).kind).toBe(
      'away',
    )
    expect(outlookOf({ ...facts, devices: [self, { ...helper, models: [] }] }).kind).toBe('no-model')
  })

  it('tells of a model that is on its way, and of one that failed', () => {
    const fetching = { ...helper, models: [fakeModel({ state: 'downloading', progress })] }
    expect(outlookOf({ ...facts, devices: [self, fetching] })).toMatchObject({ kind: 'fetching', progress })
    const failed = { ...helper, models: [fakeModel({ state: 'failed', reason: 'No source was in reach.' })] }
    expect(outlookOf({ ...facts, devices: [self, failed] })).toMatchObject({ kind: 'failed' })
  })

  it('says what is missing when this device belongs to no mesh, or is starting', () => {
    expect(outlookOf({ ...facts, standing: 'alone', devices: [self] }).kind).toBe('alone')
    expect(outlookOf({ ...facts, running: false, devices: [] }).kind).toBe('starting')
  })

  it('foresees the rest of a download only while something comes', () => {
    expect(leftMs(progress)).toBe(6_000)
    expect(leftMs({ ...progress, rateBytesPerSecond: 0 })).toBeUndefined()
  })
})
