import { randomInt, type Random } from '../base/index.ts'

const COLOURS = [
  'Amber', 'Ash', 'Birch', 'Blue', 'Bronze', 'Cedar', 'Chalk', 'Clay', 'Cobalt', 'Copper', 'Coral', 'Dusk', 'Ember', 'Fern', 'Flint',
  'Golden', 'Green', 'Grey', 'Hazel', 'Indigo', 'Ivory', 'Jade', 'Linen', 'Maple', 'Moss', 'Ochre', 'Olive', 'Pearl', 'Pine', 'Plum',
  'Red', 'Rust', 'Sable', 'Sand', 'Silver', 'Slate', 'Stone', 'Tawny', 'Teal', 'Umber', 'White', 'Willow',
] // prettier-ignore

const ANIMALS = [
  'Badger', 'Bear', 'Beaver', 'Bison', 'Crane', 'Crow', 'Deer', 'Dove', 'Duck', 'Eagle', 'Egret', 'Falcon', 'Finch', 'Fox', 'Gull',
  'Hare', 'Hawk', 'Heron', 'Ibis', 'Jay', 'Kestrel', 'Lark', 'Lynx', 'Marten', 'Mole', 'Moth', 'Newt', 'Otter', 'Owl', 'Perch',
  'Plover', 'Raven', 'Robin', 'Seal', 'Shrew', 'Stork', 'Swan', 'Swift', 'Tern', 'Thrush', 'Toad', 'Trout', 'Vole', 'Wren',
] // prettier-ignore

/** Longest name of a device or person, in characters. */
export const NAME_MAX_LENGTH = 60

/** A name for a device nobody has named yet: "Amber Heron". */
export function generateDeviceName(random: Random): string {
  return `${COLOURS[randomInt(random, COLOURS.length)] ?? 'Grey'} ${ANIMALS[randomInt(random, ANIMALS.length)] ?? 'Heron'}`
}

/**
 * A name as it may be shown: one line, no control or direction-changing
 * characters (they could make one device look like another), at most
 * {@link NAME_MAX_LENGTH} characters or as many as are given. Empty when nothing is left.
 */
export function cleanName(name: string, maxLength: number = NAME_MAX_LENGTH): string {
  return (
    name
      .normalize('NFC')
      // Cs: half a character; the letters that follow are drawn as nothing at all
      .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]/gu, ' ')
      .replace(/\s+/gu, ' ')
      .trim()
      .slice(0, maxLength)
      // the cut may have gone through a character
      .replace(/\p{Cs}/gu, '')
      .trim()
  )
}
