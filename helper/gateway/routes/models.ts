import type { Context } from 'hono'
import type { Mesh, MeshModel } from '../../../mesh/mesh-types.ts'
import { badRequest, failureResponse } from '../openai-errors.ts'
import type { GatewayEnv } from '../request-head.ts'

/** `GET /v1/models`: what the mesh has, the one used when nobody chose first. */
export function listModels(mesh: Mesh): () => Response {
  return () => Response.json({ object: 'list', data: mesh.models().map(modelBody) })
}

/** `GET /v1/models/{id}`; the id may hold slashes. */
export function oneModel(mesh: Mesh): (context: Context<GatewayEnv>) => Response {
  return (context) => {
    const id = context.req.param('id') ?? ''
    const model = mesh.models().find((candidate) => candidate.id === id)
    return model === undefined ? unknownModel(id) : Response.json(modelBody(model))
  }
}

/** The answer for a model that no device has. */
export function unknownModel(id: string): Response {
  const shown = id.slice(0, 128)
  return failureResponse(
    badRequest(`No device here has a model "${shown}". GET /v1/models lists the ones there are.`, {
      status: 404,
      param: 'model',
      code: 'model_not_found',
    }),
  )
}

function modelBody(model: MeshModel): object {
  return { id: model.id, object: 'model', created: Math.floor(model.addedAt / 1_000), owned_by: 'plexus' }
}
