import { addPerson, createTestDevice, foundMesh, reopened } from '../kit/ledger.ts'
import { HOSTILE_SHAPES } from '../kit/ledger-forge.ts'
import { createSeededRandom } from '../kit/random.ts'
const random = createSeededRandom('cost')
const only = process.argv[3] ?? ''
for (const shape of HOSTILE_SHAPES) {
  if (!shape.name.includes(only)) continue
  const COUNT = Number(process.argv[2] ?? 200)
  const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
  const mallory = await addPerson(alice, await createTestDevice(random, 'm'), 'M', 'member')
  const entries = await shape.make(mallory, COUNT)
  const t0 = performance.now()
  const r = await alice.ledger.take(entries.map((e) => e.bytes))
  alice.ledger.state()
  const t1 = performance.now()
  const again = await reopened(alice)
  again.ledger.state()
  const t2 = performance.now()
  console.log(shape.name, entries.length, 'added', r.added.length, 'refused', r.refused.length, 'take', (t1-t0).toFixed(0), 'load', (t2-t1).toFixed(0))
}
