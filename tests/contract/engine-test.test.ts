import { asId, type ModelId } from '../../mesh/base/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { createTestEngine } from '../kit/engine.ts'
import { engineContract } from './engine.contract.ts'

engineContract('the test engine', () =>
  Promise.resolve({
    host: createTestEngine({ clock: systemClock }),
    model: asId<ModelId>('test-model'),
    stop: () => Promise.resolve(),
  }),
)
