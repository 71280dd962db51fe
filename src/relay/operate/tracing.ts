import { context, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'

export type { Tracer } from '@opentelemetry/api'

/**
 * The application's OpenTelemetry, through its API: without an SDK every span is a no-op.
 * Spans hold routes, statuses and counts; never an account, a device, a token or event data.
 */
export function defaultTracer(): Tracer {
  return trace.getTracer('metertap')
}

/** Runs the job in a span of its own, which ends with it; an error marks the span. */
export async function inSpan<T>(
  tracer: Tracer,
  name: string,
  kind: 'server' | 'internal',
  job: (span: Span) => Promise<T>,
): Promise<T> {
  const span = tracer.startSpan(name, { kind: kind === 'server' ? SpanKind.SERVER : SpanKind.INTERNAL })
  try {
    return await context.with(trace.setSpan(context.active(), span), () => job(span))
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'error' })
    throw error
  } finally {
    span.end()
  }
}
