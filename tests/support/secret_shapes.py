"""Every way a secret is written in what people submit and programs print, with one canary.

The canary is what must not be found anywhere; the shapes around it are what a redactor can know.
"""

CANARY = "C4n4ryQz7Qz7Qz7Qz7Qz7Qz7Qz7Qz7Qz7Qz7Qz7Q"
"""Forty letters and digits, as AWS's secrets have."""

HEX = "c0ffee5ec2e7c0ffee5ec2e7c0ffee5e"
"""The same where only hexadecimal digits are."""

SHAPES: dict[str, str] = {
    "AWS variable": f"AWS_SECRET_ACCESS_KEY={CANARY} end",
    "AWS session": f"export AWS_SESSION_TOKEN={CANARY}",
    "AWS pair": f"AKIAIOSFODNN7EXAMPLE:{CANARY}",
    "shell export": f"export DB_PASSWORD='{CANARY} and words'",
    "env line": f"PGPASSWORD={CANARY}",
    "numbered": f"API_KEY_2={CANARY}",
    "upper key": f"OPENWEATHER_KEY={CANARY}",
    "short name": f"MYSQL_PWD={CANARY} SMTP_PASS={CANARY}",
    "YAML": f"db:\n  password: {CANARY}\n  user: bob",
    "YAML quoted": f'clientSecret: "{CANARY}"',
    "JSON": f'{{"dbPassword": "a b \\" {CANARY}", "user": "bob"}}',
    "JSON in JSON": f'{{\\"api_key\\":\\"{CANARY}\\",\\"n\\":1}}',
    "logfmt": f'level=info access_token={CANARY} msg="x"',
    "JavaScript": f"{{ user: 'bob', pass: '{CANARY}' }}",
    "Ruby": f"config.secret_key => '{CANARY}'",
    "Go": f'token := "{CANARY}"',
    "punctuated": f"password=a,b;c&d{CANARY}",
    "flag": f"tool --api-key {CANARY} --verbose",
    "flag with =": f"tool --password={CANARY}",
    "sshpass": f"sshpass -p {CANARY} ssh host",
    "curl": f"curl -s -u bob:{CANARY} https://example.org",
    "connection string": f"Server=db;Uid=sa;Pwd={CANARY};",
    "Azure": f"AccountName=x;AccountKey={CANARY}==;EndpointSuffix=core.windows.net",
    "URL": f"postgres://bob:{CANARY}@db.example.org/x",
    "URL without a user": f"redis://:{CANARY}@cache:6379",
    "URL with an at sign": f"https://bob:p@ss{CANARY}@example.org/",
    "URL with a token": f"git clone https://{CANARY}@example.org/x.git",
    "URL query": f"GET /x?user=1&access_token={CANARY}&n=2",
    "signed URL": f"https://b.s3.amazonaws.com/k?X-Amz-Signature={HEX}{HEX}",
    "bearer": f"Authorization: Bearer {CANARY}",
    "basic": f'"Authorization": "Basic {CANARY}"',
    "digest": f'Authorization: Digest username="bob", response="{HEX}"',
    "API key header": f"X-Api-Key: {CANARY}",
    "cookie": f"Cookie: theme=dark; session={CANARY}",
    "set cookie": f"Set-Cookie: sid={CANARY}; HttpOnly",
    "OpenAI": f"sk-proj-{CANARY}",
    "Anthropic": f"sk-ant-api03-{CANARY}",
    "GitHub": f"ghp_{CANARY} ghs_{CANARY}",
    "GitHub, fine": f"github_pat_{CANARY}",
    "GitLab": f"glpat-{CANARY}",
    "Slack": f"xoxb-123-{CANARY}",
    "Slack app": f"xapp-1-{CANARY}",
    "Slack hook": f"https://hooks.slack.com/services/T000/B000/{CANARY}",
    "Google": f"AIza{CANARY}",
    "Google, OAuth": f"ya29.{CANARY}",
    "Stripe": f"sk_live_{CANARY} rk_live_{CANARY}",
    "Stripe hook": f"whsec_{CANARY}",
    "npm": f"//npm.example.org/:_authToken=npm_{CANARY}",
    "PyPI": f"pypi-AgEI{CANARY}",
    "Hugging Face": f"hf_{CANARY}",
    "SendGrid": f"SG.{CANARY}.{CANARY}",
    "Shopify": f"shpat_{HEX}",
    "Docker": f"dckr_pat_{CANARY}",
    "Vault": f"hvs.{CANARY}",
    "Databricks": f"dapi{HEX}",
    "JWT": f"eyJhbGciOiJ{CANARY}.eyJzdWIi{CANARY}.{CANARY}",
    "private key": f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
    "SSH key": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}\n{CANARY}",
    "PGP key": (
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{CANARY}\n-----END PGP PRIVATE KEY BLOCK-----"
    ),
    "key in JSON": f'"private_key": "-----BEGIN PRIVATE KEY-----\\n{CANARY}\\n"',
}
"""Kind -> a text with the secret in it."""

HARMLESS: tuple[str, ...] = (
    "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    "id 123e4567-e89b-12d3-a456-426614174000",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "max_tokens=4096, input_tokens: 123456, tokens/s: 42",
    "the token expired and the password was wrong",
    "token: null, password: none, secret: undefined",
    "password: $DB_PASSWORD and token: ${GITHUB_TOKEN} and key: {{ api_key }}",
    "PASSWORD_FILE=/run/secrets/db",
    "tokenizer: cl100k_base",
    "PUBLIC_KEY=abcdefgh PRIMARY_KEY=id_of_row",
    "PASS: test_that_it_works",
    "keyboard: qwerty123, monkey=business, key=value1234",
    "a secret:env:GATEWAY_TOKEN, secret:file:/etc/token",
    "see https://example.org/a/b?page=2&key=short#top",
    "ssh://git@example.org:22/x.git and postgres://localhost/db",
    "passport: AB123456, compass: northwest",
    "glass-door-with-a-long-name, risk-averse-strategies-win",
    "01JABCDEFGHJKMNPQRSTVWXYZ0.1 ended",
    "cookie: banner accepted",
    "author: Zoë, authority: example.org",
)
"""Texts without a secret, of which nothing may be taken."""
