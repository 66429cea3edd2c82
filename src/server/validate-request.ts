import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import { OSLER_ERR_REQUEST_INVALID, type OslerError } from '../core/errors.ts';
import { describeIssues, fieldOf } from './issue-lines.ts';

/** An error about one field of a request. */
export interface FieldError extends OslerError {
  /** null: it is about the whole. */
  readonly param: string | null;
}

/** Whether an error says which field it is about. */
export function isFieldError(error: unknown): error is FieldError {
  return error instanceof OSLER_ERR_REQUEST_INVALID && 'param' in error;
}

/** Fastify's compiler for zod's schemas. In place of the provider's own, which makes and keeps a line of every problem, a million of them if need be. */
export const validateRequest: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (data) => {
    const result = schema.safeParse(data);
    if (result.success) return { value: result.data };
    const { issues } = result.error;
    const error = new OSLER_ERR_REQUEST_INVALID(`The request has ${describeIssues(issues, 'body')}`);
    return { error: Object.assign(error, { param: fieldOf(issues[0]) }) };
  };
