import { startTinyLlama } from '../kit/tiny-llama.ts'
import { engineContract } from './engine.contract.ts'

engineContract('llama.cpp with a model whose characters take several tokens', () =>
  startTinyLlama({ says: 'Say:€ 🌍,wolt! bcdefgh'.replace(' b', 'b') }),
)

engineContract('llama.cpp with random weights, a plain template and half precision', () =>
  startTinyLlama({ seed: 11, weights: 'f16', chatTemplate: null }),
)

engineContract('llama.cpp with a template of its own', () =>
  startTinyLlama({
    seed: 5,
    chatTemplate:
      "{% for message in messages %}[{{ message['role'] }}] {{ message['content'] }}\n{% endfor %}" +
      '{% if add_generation_prompt %}[assistant] {% endif %}',
  }),
)
