"""What an attacker would say on the telephone, or set as a status, a campaign or an error text. `MARK` is what each is after."""

from __future__ import annotations

MARK = "alert(1)"

PAYLOADS = (
    "<script>alert(1)</script>", "<ScRiPt >alert(1)</sCrIpT>", "<script src=//example.net/x.js></script>",
    "<script src=http://127.0.0.1:9/x.js></script>", "</title><script>alert(1)</script>", "</style><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>", "--><script>alert(1)</script>", "]]><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>", "<img src=http://127.0.0.1:9/pixel.png>", '"><img src=x onerror=alert(1)>',
    "'><img src=x onerror=alert(1)>", '" onmouseover=alert(1) x="', "' onfocus=alert(1) autofocus tabindex=0 x='",
    "` onerror=alert(1) `", "<svg onload=alert(1)>", "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>", "<svg><a xlink:href=javascript:alert(1)><text y=20>x</text></a></svg>",
    "</svg><img src=x onerror=alert(1)>", "</desc></svg><script>alert(1)</script>", "<body onload=alert(1)>",
    "<iframe src=javascript:alert(1)>", "<iframe srcdoc='<script>parent.alert(1)</script>'>", "<object data=javascript:alert(1)>",
    "<embed src=javascript:alert(1)>", "<a href=javascript:alert(1)>x</a>", "javascript:alert(1)", "data:text/html,<script>alert(1)</script>",
    "<base href=http://127.0.0.1:9/>", "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>", "<link rel=stylesheet href=http://127.0.0.1:9/x.css>",
    "<style>@import 'http://127.0.0.1:9/x.css';</style>", "<style>*{background:url(http://127.0.0.1:9/x)}</style>",
    "<form action=http://127.0.0.1:9/><input name=q autofocus onfocus=alert(1)></form>", "<video><source onerror=alert(1)></video>",
    "<audio src=http://127.0.0.1:9/x onerror=alert(1)>", "<details open ontoggle=alert(1)>", "<marquee onstart=alert(1)>x</marquee>",
    "<input autofocus onfocus=alert(1)>", "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=alert(1)&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e", "%3Cscript%3Ealert(1)%3C/script%3E", "{{7*7}}${7*7}#{7*7}<%= 7*7 %>{% raw %}",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-", "\u202e<script>alert(1)</script>", "\u2028<script>alert(1)</script>",
    "<\u200bscript>alert(1)</script>", "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e", "\x1b]0;title\x07\x1b[2J<script>alert(1)</script>",
    "a\u0301" * 40 + "<script>alert(1)</script>", "'; DROP TABLE calls; --", "<plaintext>", "<!--", "<![CDATA[", "</html>",
    "x" * 5000 + "<script>alert(1)</script>",
)  # fmt: skip
