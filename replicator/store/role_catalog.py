"""The queries that read the roles, and the rights on our objects, from the database's catalog (roles.py)."""

from __future__ import annotations

ABOUT = """
SELECT quote_ident(current_user) AS name,
    coalesce((SELECT pg_has_role(current_user, oid,
        CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END)
        FROM pg_roles WHERE rolname = :owner), (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)) AS is_owner,
    ARRAY(SELECT rolname::text FROM pg_roles WHERE rolname = ANY(:roles)) AS roles,
    EXISTS (SELECT 1 FROM pg_default_acl d JOIN pg_roles r ON r.oid = d.defaclrole WHERE r.rolname = :owner
        AND d.defaclnamespace = 0 AND d.defaclobjtype = 'f') AS is_closed,
    (SELECT pg_get_userbyid(c.relowner)::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'replicator' AND c.relname = 'schema_version') AS owner_of_tables
"""
_EXPLODED = (
    "(SELECT array_agg(ARRAY[CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END, "
    "a.privilege_type]) FROM aclexplode(coalesce({acl}, acldefault('{kind}', {owner}))) a)"
)
ITEMS = f"""
SELECT 1 AS rank, 'DATABASE' AS kind, '' AS schema, '' AS object, '' AS part_of, quote_ident(datname) AS name, pg_get_userbyid(datdba)::text AS owner,
    {_EXPLODED.format(acl="datacl", kind="d", owner="datdba")} AS grants, false AS is_definer, false AS follows_table,
    false AS is_view
FROM pg_database WHERE datname = current_database()
UNION ALL
SELECT 2, 'SCHEMA', nspname, '', '', quote_ident(nspname), pg_get_userbyid(nspowner)::text,
    {_EXPLODED.format(acl="nspacl", kind="n", owner="nspowner")}, false, false, false
FROM pg_namespace WHERE nspname IN ('analytics', 'archive', 'billing', 'replicator', 'rollup', 'truedy')
UNION ALL
SELECT CASE relkind WHEN 'S' THEN 4 ELSE 3 END, CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, nspname, relname,
    coalesce((SELECT p.relname FROM pg_depend d JOIN pg_class p ON p.oid = d.refobjid WHERE relkind = 'S'
        AND d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
        AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') LIMIT 1), relname),
    format('%I.%I', nspname, relname), pg_get_userbyid(relowner)::text,
    CASE relkind WHEN 'S' THEN {_EXPLODED.format(acl="relacl", kind="s", owner="relowner")}
        ELSE {_EXPLODED.format(acl="relacl", kind="r", owner="relowner")} END,
    false, relkind = 'S' AND EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')),
    relkind = 'v'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE nspname IN ('analytics', 'archive', 'billing', 'replicator', 'rollup', 'truedy') AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
UNION ALL
SELECT 5, 'ROUTINE', nspname, proname, format('%s(%s)', proname, oidvectortypes(proargtypes)), format('%I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(p.oid)),
    pg_get_userbyid(proowner)::text, {_EXPLODED.format(acl="proacl", kind="f", owner="proowner")}, prosecdef, false, false
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE nspname IN ('analytics', 'archive', 'billing', 'replicator', 'rollup', 'truedy')
ORDER BY rank, schema, name
"""
