/**
 * The 64 pictures of a comparison, by plain names that can be said aloud and are drawn
 * by the page. Their order is part of the protocol: both sides count in it.
 */
export const PICTURES = [
  ...['sun', 'moon', 'star', 'cloud', 'bolt', 'drop', 'flame', 'snowflake'],
  ...['rainbow', 'hill', 'wave', 'tree', 'leaf', 'flower', 'cactus', 'mushroom'],
  ...['apple', 'cherry', 'carrot', 'egg', 'cheese', 'cake', 'ice-cream', 'cup'],
  ...['fish', 'snail', 'butterfly', 'bird', 'cat', 'paw', 'turtle', 'crab'],
  ...['house', 'tent', 'castle', 'bridge', 'ladder', 'boat', 'anchor', 'car'],
  ...['train', 'rocket', 'balloon', 'kite', 'wheel', 'key', 'lock', 'bell'],
  ...['drum', 'flag', 'heart', 'crown', 'book', 'pen', 'letter', 'scissors'],
  ...['hammer', 'umbrella', 'hat', 'glasses', 'clock', 'hourglass', 'candle', 'magnet'],
] as const satisfies readonly string[]

/** One of {@link PICTURES}. */
export type PictureName = (typeof PICTURES)[number]
