-- From schema 3 to 4: a full month of the AI budget, moves of stories, patterns of filters.

ALTER TABLE token_revocations
    DROP CONSTRAINT token_revocations_provider_check,
    ADD CONSTRAINT token_revocations_provider_check CHECK (
        provider IN ('google', 'facebook', 'apple', 'facebook_pages', 'instagram')
    );
ALTER TABLE ai_usage_tracking ADD COLUMN is_full boolean NOT NULL DEFAULT false;
ALTER TABLE ai_batches ADD COLUMN price text CHECK (length(price) <= 200);
ALTER TABLE tag_merge_items ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE news_filters ADD COLUMN pattern text NOT NULL DEFAULT '';
-- As app/domain/homepage/folding.py does it: small letters without accents, single spaces between words.
UPDATE news_filters SET pattern = trim(regexp_replace(regexp_replace(
    normalize(replace(lower(value), 'ß', 'ss'), NFKD), '[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]', '', 'g'
), '\W+', ' ', 'g'));
UPDATE news_filters SET pattern = pattern || '\w*' WHERE pattern <> '' AND rtrim(value) LIKE '%*';
-- Calls of tagging that are out in a batch get the form of today; the names under which their answers are kept are not known any more.
UPDATE ai_calls SET about = jsonb_build_object('items', about, 'keys', (
    SELECT coalesce(jsonb_agg(encode(sha256(convert_to('before schema 4: ' || item, 'UTF8')), 'hex')), '[]')
    FROM jsonb_array_elements_text(about) AS item
)) WHERE jsonb_typeof(about) = 'array';

CREATE VIEW template_feeds AS
    SELECT w.settings ->> 'feed_id' AS feed_id
    FROM layout_templates t JOIN template_widgets w ON w.template_id = t.id AND w.version = t.version
    WHERE t.state = 'published' AND w.type = 'rss_feed';
COMMENT ON VIEW template_feeds IS 'The feeds that pages designed by the operator show by themselves.';
CREATE INDEX feed_items_late_of_all ON feed_items (fetched_at) INCLUDE (published_at, id)
    WHERE fetched_at - published_at > interval '1 hour';
CREATE INDEX feed_items_fetched ON feed_items USING brin (fetched_at) WITH (autosummarize = on);
CREATE TABLE story_moves (
    -- A plain number: the story is gone, as a rule.
    story_id bigint NOT NULL,
    item_id bigint NOT NULL REFERENCES feed_items ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (story_id, item_id)
);
COMMENT ON TABLE story_moves IS
    'This item once stood in that story. Who asks for a story that is gone is led to where what they may see of it stands now.';
CREATE INDEX story_moves_item ON story_moves (item_id);
CREATE FUNCTION note_story_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO story_moves (story_id, item_id) VALUES (OLD.story_id, OLD.id) ON CONFLICT (story_id, item_id) DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER feed_items_moved AFTER UPDATE OF story_id ON feed_items
    FOR EACH ROW WHEN (OLD.story_id IS DISTINCT FROM NEW.story_id AND OLD.story_id IS NOT NULL)
    EXECUTE FUNCTION note_story_move();
COMMENT ON TABLE token_revocations IS 'One token of an outside account that was unlinked or erased, until its provider has revoked it.';
DROP INDEX ai_results_used;
CREATE INDEX ai_results_used ON ai_results (used_at) INCLUDE (hits);
COMMENT ON TABLE news_filters IS
    'One rule of one person on what news to leave out. pattern: the value as it is looked for among the words of items.';
