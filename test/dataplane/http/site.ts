import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { listenOn } from '../../support/upstream.ts';

/** What a site has seen of one request. */
export interface SeenRequest {
  readonly line: string;
  readonly host: string | undefined;
  readonly fields: readonly string[];
  readonly body: string;
}

/** An HTTP server that notes every request, and answers as it is told. */
export class Site {
  readonly server: Server;
  readonly seen: SeenRequest[] = [];
  connections = 0;
  port = 0;

  private constructor(answer: RequestListener) {
    this.server = createServer({ keepAliveTimeout: 60_000 }, answer);
    this.server.on('connection', () => this.connections++);
  }

  /** Without `answer`: 200, and the request's line, host and body as JSON. */
  static async listen(answer?: RequestListener): Promise<Site> {
    const site: Site = new Site(
      answer ??
        ((request, response) => {
          // A request that was broken off gets no answer.
          site.note(request).then(
            seen => response.end(JSON.stringify(seen)),
            () => response.destroy(),
          );
        }),
    );
    site.port = await listenOn(site.server);
    return site;
  }

  get hosts(): (string | undefined)[] {
    return this.seen.map(({ host }) => host);
  }

  async note(request: IncomingMessage): Promise<SeenRequest> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const seen = {
      line: `${request.method} ${request.url} HTTP/${request.httpVersion}`,
      host: request.headers.host,
      fields: request.rawHeaders,
      body: Buffer.concat(chunks).toString('latin1'),
    };
    this.seen.push(seen);
    return seen;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>(resolve => this.server.close(() => resolve()));
  }
}
