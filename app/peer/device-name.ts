import { randomInt, type Random } from '../../mesh/base/index.ts'

const COLOURS = [
  'Amber',
  'Ash',
  'Birch',
  'Clay',
  'Copper',
  'Coral',
  'Dawn',
  'Fern',
  'Flint',
  'Frost',
  'Hazel',
  'Indigo',
  'Ivory',
  'Jade',
  'Lichen',
  'Linen',
  'Moss',
  'Ochre',
  'Olive',
  'Pearl',
  'Plum',
  'Rowan',
  'Rust',
  'Sage',
  'Sand',
  'Slate',
  'Teal',
  'Umber',
] as const
const ANIMALS = [
  'Badger',
  'Bittern',
  'Crane',
  'Curlew',
  'Dunlin',
  'Egret',
  'Falcon',
  'Finch',
  'Fox',
  'Grebe',
  'Hare',
  'Heron',
  'Ibis',
  'Jay',
  'Kestrel',
  'Lark',
  'Lynx',
  'Marten',
  'Newt',
  'Otter',
  'Owl',
  'Plover',
  'Raven',
  'Seal',
  'Swift',
  'Tern',
  'Vole',
  'Wren',
] as const

/** A name for a device whose person gave none yet, such as "Amber Heron": one of 784, easy to say aloud. */
export function makeDeviceName(random: Random): string {
  const colour = COLOURS[randomInt(random, COLOURS.length)] ?? COLOURS[0]
  const animal = ANIMALS[randomInt(random, ANIMALS.length)] ?? ANIMALS[0]
  return `${colour} ${animal}`
}
