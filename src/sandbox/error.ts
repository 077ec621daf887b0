/** What AWS answers when it refuses: a code, a message, an HTTP status. Turned into JSON or XML by the protocol. */
export class AwsError extends Error {
  override readonly name: string;
  readonly status: number;
  /** More members of the error's body, such as the `Reason` of Organizations. */
  readonly fields: Readonly<Record<string, string>>;

  constructor(name: string, message: string, status = 400, fields: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = name;
    this.status = status;
    this.fields = fields;
  }
}
