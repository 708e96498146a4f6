/**
 * Tensor types of GGML that may appear in a model file, by their number in the
 * file: how many elements share one block, and how many bytes a block takes.
 * Source: the GGUF specification and ggml's type table. Types that were removed
 * from the format (4, 5, 31-33, 36-38) are missing here on purpose.
 */
export const GGML_BLOCKS: ReadonlyMap<number, { readonly elements: number; readonly bytes: number }> = new Map([
  [0, { elements: 1, bytes: 4 }], // F32
  [1, { elements: 1, bytes: 2 }], // F16
  [2, { elements: 32, bytes: 18 }], // Q4_0
  [3, { elements: 32, bytes: 20 }], // Q4_1
  [6, { elements: 32, bytes: 22 }], // Q5_0
  [7, { elements: 32, bytes: 24 }], // Q5_1
  [8, { elements: 32, bytes: 34 }], // Q8_0
  [9, { elements: 32, bytes: 36 }], // Q8_1
  [10, { elements: 256, bytes: 84 }], // Q2_K
  [11, { elements: 256, bytes: 110 }], // Q3_K
  [12, { elements: 256, bytes: 144 }], // Q4_K
  [13, { elements: 256, bytes: 176 }], // Q5_K
  [14, { elements: 256, bytes: 210 }], // Q6_K
  [15, { elements: 256, bytes: 292 }], // Q8_K
  [16, { elements: 256, bytes: 66 }], // IQ2_XXS
  [17, { elements: 256, bytes: 74 }], // IQ2_XS
  [18, { elements: 256, bytes: 98 }], // IQ3_XXS
  [19, { elements: 256, bytes: 50 }], // IQ1_S
  [20, { elements: 32, bytes: 18 }], // IQ4_NL
  [21, { elements: 256, bytes: 110 }], // IQ3_S
  [22, { elements: 256, bytes: 82 }], // IQ2_S
  [23, { elements: 256, bytes: 136 }], // IQ4_XS
  [24, { elements: 1, bytes: 1 }], // I8
  [25, { elements: 1, bytes: 2 }], // I16
  [26, { elements: 1, bytes: 4 }], // I32
  [27, { elements: 1, bytes: 8 }], // I64
  [28, { elements: 1, bytes: 8 }], // F64
  [29, { elements: 256, bytes: 56 }], // IQ1_M
  [30, { elements: 1, bytes: 2 }], // BF16
  [34, { elements: 256, bytes: 54 }], // TQ1_0
  [35, { elements: 256, bytes: 66 }], // TQ2_0
  [39, { elements: 32, bytes: 17 }], // MXFP4
])
